import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { systemClock, virtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { busContract } from './bus.contract.ts'
import { CallTimeout, NoResponder } from './bus.ts'
import { natsBinary, startNats, stopNats } from './fixtures/nats-server.ts'
import { natsBus } from './nats.ts'

const clock = systemClock()
const given = process.env.NEPHOS_TEST_NATS

if (!given && !natsBinary) {
  test('NATS', { skip: 'no NATS: install nats-server or set NEPHOS_TEST_NATS=host:port' }, () => {})
} else {
  let server: { child: ChildProcess; port: number } | undefined
  const folder = mkdtempSync(join(tmpdir(), 'nephos-nats-'))
  before(async () => {
    if (!given) server = await startNats(folder)
  })
  after(async () => {
    if (server) await stopNats(server.child)
    rmSync(folder, { recursive: true })
  })
  const address = () => given ?? `127.0.0.1:${server!.port}`

  const pair = (key?: string) => async () => {
    const options = { servers: address(), ...(key && { key }) }
    const near = await natsBus({ ...options, name: 'near' }, clock, silentLog())
    const far = await natsBus({ ...options, name: 'far' }, clock, silentLog())
    return {
      near,
      far,
      advance: (ms: number) => clock.sleep(ms),
      async [Symbol.asyncDispose]() {
        await near[Symbol.asyncDispose]()
        await far[Symbol.asyncDispose]()
      },
    }
  }
  busContract('NATS', pair())
  busContract('NATS, sealed', pair('a-key-of-the-cloud-that-is-long-enough'))

  test('NATS: who listens and answers in place of another, without the key, is not heard', async () => {
    await using pairOfBuses = await pair('a-key-of-the-cloud-that-is-long-enough')()
    const { near, far } = pairOfBuses
    const stranger = await connect({ servers: address() })
    const forged = Promise.withResolvers<void>()
    stranger.subscribe('forged', {
      callback(_error, message) {
        message.respond('{"result":"forged"}')
        void stranger.flush().then(forged.resolve)
      },
    })
    await stranger.flush()
    far.serve('forged', async () => {
      await forged.promise
      return 'true'
    })
    await far.flush()
    assert.equal(await near.call('forged', {}, { timeoutMs: 20_000 }), 'true')
    await stranger.close()
  })

  test('NATS: long work is done once, or anew by a process that took the place of one that died; nobody waits long for one that is gone', async () => {
    const time = virtualClock()
    await using near = await natsBus({ servers: address() }, time, silentLog())
    const options = { timeoutMs: 6 * 3_600_000 }
    const [release, begun] = [Promise.withResolvers<string>(), [] as string[]]
    const host = async (name: string, work: () => unknown) => {
      const bus = await natsBus({ servers: address() }, clock, silentLog())
      bus.serve('move', () => {
        begun.push(name)
        return work()
      })
      bus.serve('hello', () => name)
      await bus.flush()
      return bus
    }
    /** What was sent has arrived, and what came of it is back. */
    const settled = () => near.call('hello', null, options).catch(String)
    const first = await host('first', () => release.promise)
    const moved = near.call('move', {}, options)
    for (let minutes = 0; minutes < 3; minutes++) {
      await settled()
      await time.advance(60_000)
    }
    await settled()
    assert.deepEqual(begun, ['first'])
    // It dies without an answer.
    await first[Symbol.asyncDispose]()
    await time.advance(60_000)
    await settled()
    const second = await host('second', () => 'moved')
    await time.advance(5_000)
    assert.equal(await moved, 'moved')
    assert.deepEqual(begun, ['first', 'second'])

    const third = await host('third', () => release.promise)
    await second[Symbol.asyncDispose]()
    let failed: unknown
    const lost = near.call('move', {}, options).catch(error => {
      failed = error
    })
    await settled()
    await third[Symbol.asyncDispose]()
    let seconds = 0
    for (; failed === undefined && seconds < 600; seconds += 5) {
      await time.advance(5_000)
      await settled()
    }
    await lost
    assert.ok(failed instanceof NoResponder)
    assert.ok(seconds >= 180 && seconds < 300, `${seconds}`)
  })

  test('NATS: an unreachable server says so', async () => {
    await assert.rejects(natsBus({ servers: '127.0.0.1:1' }, clock, silentLog()), /refused/i)
  })

  test('NATS: after the server was lost and came back, what was served is served again, and calls have waited', {
    skip: !natsBinary,
  }, async () => {
    const own = mkdtempSync(join(tmpdir(), 'nephos-nats-'))
    const first = await startNats(own)
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
    await stopNats(first.child)
    // Until the loss is noticed a call may be lost; from then on it waits for the connection, as long as its caller does.
    await clock.sleep(200)
    await assert.rejects(bus.call('echo', 2, { timeoutMs: 200 }), CallTimeout)
    const patient = bus.call('echo', 3, { timeoutMs: 20_000 })
    const second = await startNats(own, first.port)
    try {
      assert.equal(await patient, 3)
      release.resolve('done')
      assert.equal(await work, 'done')
      assert.equal(begun, 1)
      assert.equal(await bus.call('echo', 4, { timeoutMs: 20_000 }), 4)
    } finally {
      await stopNats(second.child)
      rmSync(own, { recursive: true })
    }
  })
}
