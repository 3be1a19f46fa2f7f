import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { busContract } from './bus.contract.ts'
import { BusClosed, NoResponder } from './bus.ts'
import { inProcessBus } from './in-process.ts'
import { ipcBus } from './ipc.ts'
import { type Channel, channelTo } from './ipc-frames.ts'
import { shareBus } from './ipc-parent.ts'

const clock = systemClock()
const log = silentLog()

/** A process that sends everything back: what goes through it has been through real channels twice. */
function openEcho(): ChildProcess {
  const script = 'process.on("message", m => process.send(m, () => {}))'
  const echo = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return echo.setMaxListeners(0)
}

async function closeEcho(echo: ChildProcess): Promise<void> {
  const ended = once(echo, 'exit')
  echo.disconnect()
  await ended
}

let families = 0

/** The two ends of a way through the echo: what one sends the other receives. */
function ends(echo: ChildProcess, name: string): [Channel, Channel] {
  const channel = channelTo(echo)
  const end = (own: string, other: string): Channel => ({
    send: frame => channel.send({ to: other, frame }),
    receive: listener =>
      channel.receive(message => {
        const { to, frame } = message as { to: string; frame: object }
        if (to === own) listener(frame)
      }),
    closed: channel.closed,
  })
  return [end(`${name} parent`, `${name} worker`), end(`${name} worker`, `${name} parent`)]
}

/** A parent's bus with a worker's bus for each name. */
function openFamily(echo: ChildProcess, ...names: string[]) {
  const parent = inProcessBus(clock, log)
  const family = ++families
  const workers = names.map(name => {
    const [parentEnd, workerEnd] = ends(echo, `${family} ${name}`)
    shareBus(parent, parentEnd, log)
    return ipcBus(workerEnd, clock, log)
  })
  return {
    parent,
    workers,
    async [Symbol.asyncDispose]() {
      for (const worker of workers) await worker[Symbol.asyncDispose]()
      await parent[Symbol.asyncDispose]()
    },
  }
}

const advance = (ms: number) => clock.sleep(ms)

let shared: ChildProcess
before(() => {
  shared = openEcho()
})
after(() => closeEcho(shared))

busContract('from worker to worker', async () => {
  const family = openFamily(shared, 'one', 'other')
  const [near, far] = family.workers
  return { near: near!, far: far!, advance, [Symbol.asyncDispose]: () => family[Symbol.asyncDispose]() }
})

busContract('from worker to parent', async () => {
  const family = openFamily(shared, 'one')
  const { parent, workers } = family
  return { near: workers[0]!, far: parent, advance, [Symbol.asyncDispose]: () => family[Symbol.asyncDispose]() }
})

busContract('from parent to worker', async () => {
  const family = openFamily(shared, 'one')
  const { parent, workers } = family
  return { near: parent, far: workers[0]!, advance, [Symbol.asyncDispose]: () => family[Symbol.asyncDispose]() }
})

test('a worker that dies takes what it served with it, and nobody waits for it', async () => {
  const echo = openEcho()
  await using family = openFamily(echo, 'one')
  const { parent } = family
  const worker = family.workers[0]!
  const asked = Promise.withResolvers<void>()
  worker.serve('hang', () => {
    asked.resolve()
    return new Promise(() => {})
  })
  await worker.flush()
  const call = assert.rejects(parent.call('hang', {}, { timeoutMs: 20_000 }), { name: 'BusClosed' })
  await asked.promise
  echo.kill('SIGKILL')
  await call
  await assert.rejects(parent.call('hang', {}, { timeoutMs: 20_000 }), NoResponder)
  await assert.rejects(worker.call('hang', {}, { timeoutMs: 20_000 }), BusClosed)
})
