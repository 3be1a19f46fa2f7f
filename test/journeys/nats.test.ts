/** A cloud whose parts meet over NATS: it works, and goes on when the NATS server was away. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { natsBinary } from '../../src/kernel/bus/fixtures/nats-server.ts'
import { call, login } from './http.ts'
import { createStage, missingForClient, type Stage } from './stage.ts'

const skip = missingForClient() || (natsBinary === undefined && 'needs nats-server')
const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private']

async function startNats(stage: Stage): Promise<ChildProcess> {
  const config = join(stage.dir, 'nats.conf')
  writeFileSync(config, 'listen: "127.0.0.1:4222"\n')
  const [file, argv] = stage.inside(natsBinary!, ['-c', config])
  const child = spawn(file, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  for await (const chunk of child.stderr!.iterator({ destroyOnReturn: false })) {
    log += chunk
    if (/Server is ready/.test(log)) break
  }
  child.stderr!.resume()
  return child
}

async function stopNats(child: ChildProcess): Promise<void> {
  const ended = new Promise(done => child.once('exit', done))
  child.kill('SIGKILL')
  await ended
}

interface Health {
  status: string
  parts: Record<string, string>
}

const health = (stage: Stage) => call<Health>(stage, 'GET', '/healthcheck', '')

const isHealthy = async (stage: Stage) => (await health(stage))?.status === 200

for (const [title, flags] of [
  ['one process', ['--simulated']],
  ['API processes', ['--simulated', '--workers', '2']],
] as const) {
  test(`a cloud over NATS, with ${title}`, { skip, timeout: 600_000 }, async t => {
    await using stage = await createStage({ cold: true })
    mkdirSync(stage.data)
    writeFileSync(join(stage.data, 'nephos.yaml'), 'cloud:\n  nats_url: nats://127.0.0.1:4222\n')

    await t.test('without the NATS server it says what to do', async () => {
      await assert.rejects(stage.up([...flags]), /nats_url was not reached \(.*\): start it/)
    })

    let server = await startNats(stage)
    await stage.up([...flags])

    await t.test('a server is made', async () => {
      assert.equal((await stage.json<{ status: string }>([...create, '--wait', 'one'])).status, 'ACTIVE')
      assert.match(await stage.os(['console', 'log', 'show', 'one']), /login:/)
    })

    await t.test('while the NATS server is away, health names the bus, and what is begun waits for it', async () => {
      const token = await login(stage, 'nephos')
      const [one] = (await call<{ servers: { id: string }[] }>(stage, 'GET', '/compute/v2.1/servers', token))!.body
        .servers
      await stopNats(server)
      await stage.until('the bus is missed', async () => (await health(stage))?.status === 503)
      const { status, parts } = (await health(stage))!.body
      assert.equal(status, 'error')
      assert.notEqual(parts.bus, 'ok')
      assert.equal(parts.database, 'ok')
      await stage.os([...create, 'two'])
      const stop = await call(stage, 'POST', `/compute/v2.1/servers/${one!.id}/action`, token, { 'os-stop': null })
      assert.equal(stop!.status, 202)
    })

    await t.test('with the NATS server back, all of it is done', async () => {
      server = await startNats(stage)
      await stage.until('the cloud is whole', () => isHealthy(stage))
      const statusOf = async (name: string) => (await stage.json<{ status: string }>(['server', 'show', name])).status
      await stage.until('two is active', async () => (await statusOf('two')) === 'ACTIVE')
      await stage.until('one is stopped', async () => (await statusOf('one')) === 'SHUTOFF')
      assert.equal((await stage.json<{ status: string }>([...create, '--wait', 'three'])).status, 'ACTIVE')
      await stage.os(['server', 'delete', '--wait', 'one', 'two', 'three'])
    })

    await t.test('it stops cleanly, without the NATS server too', async () => {
      await stopNats(server)
      assert.equal(await stage.stop(), 0)
    })
  })
}
