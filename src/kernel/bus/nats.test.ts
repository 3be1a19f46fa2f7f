import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { busContract } from './bus.contract.ts'
import { CallTimeout } from './bus.ts'
import { natsBus } from './nats.ts'

const clock = systemClock()
const given = process.env.NEPHOS_TEST_NATS
const binary = ['nats-server', '/usr/sbin/nats-server'].find(path => {
  try {
    return execFileSync(path, ['--version'], { stdio: 'pipe' }).length >= 0
  } catch {
    return false
  }
})

/** Starts a server on a free loopback port, or on the port given. */
async function startServer(folder: string, port = -1): Promise<{ child: ChildProcess; port: number }> {
  const config = join(folder, 'nats.conf')
  writeFileSync(config, `listen: "127.0.0.1:${port}"\nmax_payload: 9MB\n`)
  const child = spawn(binary!, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  for await (const chunk of child.stderr!) {
    log += chunk
    if (/Server is ready/.test(log)) break
  }
  const listening = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(log)
  assert.ok(listening, `nats-server did not start:\n${log}`)
  return { child, port: Number(listening[1]) }
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

if (!given && !binary) {
  test('NATS', { skip: 'no NATS: install nats-server or set NEPHOS_TEST_NATS=host:port' }, () => {})
} else {
  let server: { child: ChildProcess; port: number } | undefined
  const folder = mkdtempSync(join(tmpdir(), 'nephos-nats-'))
  before(async () => {
    if (!given) server = await startServer(folder)
  })
  after(async () => {
    if (server) await stopServer(server.child)
    rmSync(folder, { recursive: true })
  })
  const address = () => given ?? `127.0.0.1:${server!.port}`

  busContract('NATS', async () => {
    const near = await natsBus({ servers: address(), name: 'near' }, clock, silentLog())
    const far = await natsBus({ servers: address(), name: 'far' }, clock, silentLog())
    return {
      near,
      far,
      advance: ms => clock.sleep(ms),
      async [Symbol.asyncDispose]() {
        await near[Symbol.asyncDispose]()
        await far[Symbol.asyncDispose]()
      },
    }
  })

  test('NATS: an unreachable server says so', async () => {
    await assert.rejects(natsBus({ servers: '127.0.0.1:1' }, clock, silentLog()), /refused/i)
  })

  test('NATS: after the server was lost and came back, what was served is served again, and calls have waited', {
    skip: !binary,
  }, async () => {
    const own = mkdtempSync(join(tmpdir(), 'nephos-nats-'))
    const first = await startServer(own)
    await using bus = await natsBus({ servers: `127.0.0.1:${first.port}` }, clock, silentLog())
    bus.serve('echo', payload => payload)
    const release = Promise.withResolvers<string>()
    let begun = 0
    bus.serve('work', () => {
      begun++
      return release.promise
    })
    await bus.flush()
    assert.equal(await bus.call('echo', 1, { timeoutMs: 5000 }), 1)
    const work = bus.call('work', {}, { timeoutMs: 20_000 })
    await bus.flush()
    await stopServer(first.child)
    // Until the loss is noticed a call may be lost; from then on it waits for the connection, as long as its caller does.
    await clock.sleep(200)
    await assert.rejects(bus.call('echo', 2, { timeoutMs: 200 }), CallTimeout)
    const patient = bus.call('echo', 3, { timeoutMs: 20_000 })
    const second = await startServer(own, first.port)
    try {
      assert.equal(await patient, 3)
      release.resolve('done')
      assert.equal(await work, 'done')
      assert.equal(begun, 1)
      assert.equal(await bus.call('echo', 4, { timeoutMs: 20_000 }), 4)
    } finally {
      await stopServer(second.child)
      rmSync(own, { recursive: true })
    }
  })
}
