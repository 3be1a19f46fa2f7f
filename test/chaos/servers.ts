/** NATS and PostgreSQL inside a stage, to be stopped and started: a cloud in parts needs them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { natsBinary } from '../../src/kernel/bus/fixtures/nats-server.ts'
import { newPostgresCluster, said } from '../../tools/test-servers.ts'
import type { Stage } from '../journeys/stage.ts'
import type { Row } from './relay.ts'

export interface StageServer extends Disposable {
  readonly name: string
  /** Lines of nephos.yaml. */
  readonly setting: string
  start(stage: Stage): Promise<void>
  /** SIGKILL ends it at once; SIGSTOP lets it hang, until SIGCONT. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
}

/** What a cloud in parts needs and this machine has not. */
export function missingForParts(): string | false {
  return natsBinary === undefined && 'needs nats-server'
}

async function signalled(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  if (signal === 'SIGKILL') await ended
}

export function natsInStage(): StageServer {
  let child: ChildProcess | undefined
  return {
    name: 'NATS',
    setting: 'nats_url: nats://127.0.0.1:4222',
    async start(stage) {
      const config = join(stage.dir, 'nats.conf')
      writeFileSync(config, 'listen: "127.0.0.1:4222"\nmax_payload: 9MB\n')
      const [file, argv] = stage.inside(natsBinary!, ['-c', config])
      child = spawn(file, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
      await said(child, /Server is ready/)
    },
    signal: signal => signalled(child, signal),
    [Symbol.dispose]: () => void child?.kill('SIGKILL'),
  }
}

export function postgresInStage(): StageServer & { rows(sql: string): Promise<Row[]> } {
  const { folder, program, data, password, user } = newPostgresCluster()
  const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'max_connections=100']
  let child: ChildProcess | undefined
  return {
    name: 'PostgreSQL',
    setting: `database_url: postgres://postgres:${password}@127.0.0.1:5432/postgres`,
    async start(stage) {
      const who = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
      const words = ['-D', data, ...settings.flatMap(setting => ['-c', setting])]
      const [file, argv] = stage.inside('setpriv', [...who, '--', program, ...words])
      for (let left = 20; ; left--) {
        child = spawn(file, argv, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
        try {
          return await said(child, /ready to accept connections/)
        } catch (error) {
          // The processes of one that was killed may still hold its memory.
          if (left === 0) throw error
          await sleep(500)
        }
      }
    },
    signal: signal => signalled(child, signal),
    async rows(sql) {
      const client = new pg.Client({ host: folder, user: 'postgres', password, database: 'postgres' })
      await client.connect()
      try {
        return (await client.query<Row>(sql)).rows
      } finally {
        await client.end()
      }
    },
    [Symbol.dispose]() {
      child?.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
