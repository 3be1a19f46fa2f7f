/** The API processes of a cloud: started, replaced when they die, stopped with it. */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import type { Bus } from '#kernel/bus/bus.ts'
import { channelTo } from '#kernel/bus/ipc-frames.ts'
import { shareBus } from '#kernel/bus/ipc-parent.ts'
import type { Clock } from '#kernel/clock.ts'
import type { Log } from '#kernel/log.ts'
import type { Settings } from './settings.ts'

/** All that an API process needs to know. */
export interface Order {
  name: string
  settings: Settings
  /** Folder of the database, where it is a file. */
  database: string
  log: string
  host: string
  port: number
}

export type ToWorker = { order: Order } | { stop: true }
export type FromWorker = { ready: Address } | { failed: string; code?: string }

export interface Address {
  /** As users reach it. */
  url: string
  port: number
}

export interface WorkersOptions {
  log: Log
  /** The bus that workers are guests on. */
  bus: Bus
  /** Called when a worker has died: what it was about to tell is lost. */
  died: () => void
}

export interface Workers extends AsyncDisposable {
  /** Names of those that serve. */
  names(): string[]
  /** Has them all serve; returns the base address once they do. */
  serve(order: Omit<Order, 'name'>, options: WorkersOptions): Promise<string>
}

const stopWithinMs = 10_000
/** One that ends sooner has not done anything useful. */
const shortLifeMs = 10_000
const longestPauseMs = 30_000

/** Starts processes that load the program and wait for their order. */
export function startWorkers(count: number, clock: Clock): Workers {
  // Workers take connections from the one listening socket themselves: those that wait in it outlive a worker that dies.
  cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({ exec: new URL('./worker.ts', import.meta.url).pathname, args: [] })
  const idle = Array.from({ length: count }, (_, i) => ({ name: `api-${i + 1}`, worker: cluster.fork() }))
  const serving = new Map<string, Worker>()
  let stopping = false

  /** Gives a worker its order; returns its base address, or throws what keeps it from serving. */
  async function employ(name: string, worker: Worker, order: Omit<Order, 'name'>, { bus, log }: WorkersOptions) {
    shareBus(bus, channelTo(worker.process), log)
    const answer = new Promise<Address>((done, fail) => {
      worker.on('message', (message: FromWorker) => {
        if ('ready' in message) done(message.ready)
        else if ('failed' in message) fail(Object.assign(new Error(message.failed), { code: message.code }))
      })
      const ended = () => fail(new Error(`the API process ${name} ended before it served`))
      if (worker.isDead()) ended()
      else worker.once('exit', ended)
    })
    tell(worker, { order: { ...order, name } })
    const address = await answer
    serving.set(name, worker)
    return address
  }

  /** Keeps a worker of that name serving, from one to the next. */
  async function keep(name: string, first: Worker, order: Omit<Order, 'name'>, options: WorkersOptions): Promise<void> {
    const { log, died } = options
    let worker = first
    let pauseMs = 0
    for (let since = clock.monotonic(); !stopping; since = clock.monotonic()) {
      if (!worker.isDead()) await once(worker, 'exit')
      serving.delete(name)
      if (stopping) return
      const { exitCode, signalCode } = worker.process
      log.warn(
        { process: name, pid: worker.process.pid, exitCode, signalCode },
        'an API process died; another is started',
      )
      died()
      pauseMs = clock.monotonic() - since > shortLifeMs ? 0 : Math.min(longestPauseMs, pauseMs * 2 + 100)
      if (pauseMs > 100) await clock.sleep(pauseMs)
      if (stopping) return
      worker = cluster.fork()
      await employ(name, worker, order, options).then(
        () => log.info({ process: name, pid: worker.process.pid }, 'an API process serves in its place'),
        error => log.error({ err: error, process: name }, 'an API process could not be replaced; trying again'),
      )
    }
  }

  return {
    names: () => [...serving.keys()],
    async serve(order, options) {
      const [first, ...others] = idle
      // The first takes the port that the others share.
      const { url, port } = await employ(first!.name, first!.worker, order, options)
      const same = { ...order, port }
      await Promise.all(others.map(({ name, worker }) => employ(name, worker, same, options)))
      for (const { name, worker } of idle) void keep(name, worker, same, options)
      return url
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      await Promise.all(Object.values(cluster.workers ?? {}).map(worker => worker && end(worker, clock)))
    },
  }
}

function tell(worker: Worker, message: ToWorker): void {
  // One that cannot be told has ended, which is noticed by itself.
  if (worker.isConnected()) worker.send(message, () => {})
}

async function end(worker: Worker, clock: Clock): Promise<void> {
  if (worker.isDead()) return
  const ended = once(worker, 'exit')
  using _patience = clock.after(stopWithinMs, () => worker.process.kill('SIGKILL'))
  tell(worker, { stop: true })
  await ended
}
