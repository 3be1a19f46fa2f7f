/** `nephos keys rotate`: new keys for tokens, while the cloud runs or not. */
import { inProcessBus } from '#kernel/bus/in-process.ts'
import { systemClock } from '#kernel/clock.ts'
import { pendingMigrations } from '#kernel/db/migrate.ts'
import { systemIds } from '#kernel/ids.ts'
import { silentLog } from '#kernel/log.ts'
import { createCloud, migrationSets } from '../cloud.ts'
import { services } from '../services.ts'
import { StartError } from './data-dir.ts'
import { configured } from './database.ts'
import { configOf, readSettings } from './settings.ts'

/** The processes of the cloud take them up within a second (`cache_trust_ms`). */
export async function keysRotate({ data, forget }: { data: string; forget: boolean }): Promise<number> {
  await using database = await configured(data)
  if ((await pendingMigrations(database, migrationSets)).length > 0) {
    throw new StartError('the database is not of this version: run nephos db migrate')
  }
  const [clock, log] = [systemClock(), silentLog()]
  await using identity = await createCloud({
    ...{ config: configOf(readSettings(data, [])), database, clock, log, ids: systemIds() },
    ...{ bus: inProcessBus(clock, log), services: services.filter(one => one.type === 'identity') },
  })
  const former = await identity.env.services.identity.rotateKeys(identity.ctx(), { forget })
  console.log(
    forget
      ? 'Tokens have a new key, and all that were given out before have ended.'
      : `Tokens have a new key; ${former} former ${former === 1 ? 'key is' : 'keys are'} kept until their tokens have ended.`,
  )
  return 0
}
