/** An API process: serves HTTP for a cloud whose sagas, reconcilers and hosts its parent keeps. It ends with its parent. */
import type { AddressInfo } from 'node:net'
import type { Bus } from '#kernel/bus/bus.ts'
import { ipcBus } from '#kernel/bus/ipc.ts'
import { channelTo } from '#kernel/bus/ipc-frames.ts'
import { keepAlive, systemClock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { messageOf } from '#kernel/errors.ts'
import { systemIds } from '#kernel/ids.ts'
import { createLog } from '#kernel/log.ts'
import { createCloud } from '../cloud.ts'
import { openBus } from './bus.ts'
import { openDatabase } from './database.ts'
import { configOf } from './settings.ts'
import type { FromWorker, Order, ToWorker } from './workers.ts'

/** Serves until it is told to stop. */
async function serve(order: Order, stopped: Promise<void>): Promise<void> {
  using _alive = keepAlive()
  await using stack = new AsyncDisposableStack()
  const clock = systemClock()
  const config = configOf(order.settings)
  const settings = config.of(cloudConfig)
  const log = createLog({ level: settings.log_level, destination: order.log }).child({ process: order.name })
  const bus: Bus = stack.use(
    await openBus(settings, clock, log, () => ipcBus(channelTo(process), clock, log), { one: true }),
  )
  const database = stack.use(await openDatabase(settings, order.database))
  const cloud = stack.use(
    await createCloud({
      config,
      database,
      bus,
      clock,
      ids: systemIds(),
      log,
      policyOverrides: order.settings.policy,
      apiOnly: true,
      processName: order.name,
    }),
  )
  await bus.flush()
  const url = await cloud.listen(order.host, order.port)
  tell({ ready: { url, port: (cloud.http.server.address() as AddressInfo).port } })
  await stopped
}

function tell(message: FromWorker): void {
  process.send!(message)
}

let employed = false
const stop = Promise.withResolvers<void>()
// The parent says when: a signal to the whole group of processes reaches it too.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {})
process.once('disconnect', () => process.exit(0))
process.on('message', async (message: ToWorker) => {
  if ('stop' in message) {
    stop.resolve()
    if (!employed) process.exit(0)
  }
  if (!('order' in message)) return
  employed = true
  try {
    await serve(message.order, stop.promise)
    process.exit(0)
  } catch (error) {
    const { code } = error as { code?: string }
    process.send!({ failed: messageOf(error), ...(code !== undefined && { code }) } satisfies FromWorker, () =>
      process.exit(1),
    )
  }
})
