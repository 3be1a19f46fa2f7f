/** `nephos scheduler`: chooses hosts for a cloud, in a process of its own with its own configuration. */
import { keepAlive, systemClock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { systemIds } from '#kernel/ids.ts'
import { createLog } from '#kernel/log.ts'
import { startScheduler } from '../scheduler.ts'
import { openBus } from './bus.ts'
import { StartError } from './data-dir.ts'
import { configOf, readSettings } from './settings.ts'
import { stopAsked } from './stop.ts'

export async function scheduler({ data }: { data: string }): Promise<number> {
  using _alive = keepAlive()
  const config = configOf(readSettings(data, []))
  const settings = config.of(cloudConfig)
  const lost = () => {
    throw new StartError(
      `a scheduler meets its cloud at a NATS server: set cloud.nats_url in ${data}/nephos.yaml, as the cloud has it`,
    )
  }
  await using stack = new AsyncDisposableStack()
  const bus = stack.use(await openBus(settings, systemClock(), createLog({ level: settings.log_level }), lost))
  stack.use(await startScheduler(config, bus, systemIds()))
  await bus.flush()
  process.stdout.write('ready to choose hosts\n')
  await stopAsked()
  return 0
}
