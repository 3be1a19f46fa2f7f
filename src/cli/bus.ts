/** The bus that the configuration names. */
import type { Bus } from '#kernel/bus/bus.ts'
import type { Clock } from '#kernel/clock.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import { StartError } from './data-dir.ts'

/** NATS where an address of it is given, and otherwise what `own` makes. */
export async function openBus(natsUrl: string, clock: Clock, log: Log, own: () => Bus): Promise<Bus> {
  if (!natsUrl) return own()
  // Loaded only where it is used: it costs start-up time.
  const { natsBus } = await import('#kernel/bus/nats.ts')
  try {
    return await natsBus({ servers: natsUrl }, clock, log)
  } catch (cause) {
    throw new StartError(
      `the NATS server of cloud.nats_url was not reached (${messageOf(cause)}): start it, or mend the address`,
      { cause },
    )
  }
}
