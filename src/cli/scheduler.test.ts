/** `nephos scheduler` as operators run it: a process, a NATS server, a driver from outside. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { natsBus } from '#kernel/bus/nats.ts'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { host, request } from '../services/compute/scheduler/fixtures/snapshot.ts'
import { remoteDriver } from '../services/compute/scheduler-process.ts'

const nats = ['/usr/sbin/nats-server', '/usr/bin/nats-server'].find(path => existsSync(path))
const main = join(import.meta.dirname, '../main.ts')
const key = 'the-key-of-this-cloud-thirty-two-characters-and-more'
const driver = join(import.meta.dirname, '../../examples/scheduler/one-by-one.mjs')

/** What a process says until it says that it is ready. */
async function ready(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
  let said = ''
  for await (const chunk of child[stream]!.iterator({ destroyOnReturn: false })) {
    said += chunk
    const match = pattern.exec(said)
    if (match) {
      child[stream]!.resume()
      return match
    }
  }
  throw new Error(`it ended: ${said}`)
}

test('a scheduler of its own chooses by a driver from outside', { skip: !nats && 'needs nats-server' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-scheduler-'))
  const children: ChildProcess[] = []
  const run = (file: string, words: string[]) => {
    const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    return child
  }
  try {
    writeFileSync(join(folder, 'nats.conf'), 'listen: "127.0.0.1:-1"\n')
    const server = run(nats!, ['-c', join(folder, 'nats.conf')])
    const listening = await ready(server, 'stderr', /on 127\.0\.0\.1:(\d+)[\s\S]*Server is ready/)
    const url = `nats://127.0.0.1:${listening[1]}`
    const settings = `cloud:\n  nats_url: ${url}\n  bus_key: ${key}\ncompute:\n  scheduler:\n    driver: ${driver}\n`
    writeFileSync(join(folder, 'nephos.yaml'), settings)
    await ready(run(process.execPath, [main, 'scheduler', '--data', folder]), 'stdout', /ready/)

    await using bus = await natsBus({ servers: url, key }, systemClock(), silentLog())
    const hosts = [host('b'), host('c', { up: false }), host('a', { free_ram_mb: 1 })]
    const choice = await remoteDriver(bus).choose(request(), hosts, { keep: 8 })
    assert.deepEqual(choice.hosts, ['a', 'b'], 'its own filters and its driver, not weights')
    assert.deepEqual(
      choice.refused!.map(one => [one.host, one.filter]),
      [['c', 'ComputeFilter']],
    )
  } finally {
    for (const child of children.reverse()) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    rmSync(folder, { recursive: true })
  }
})
