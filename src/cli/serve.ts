/** `nephos serve`: the APIs of a cloud at another address, by a node of its own: sagas and hosts are those of `nephos up`. */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { keepAlive, systemClock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { systemIds } from '#kernel/ids.ts'
import { createLog } from '#kernel/log.ts'
import { takeName } from '#kernel/process-name.ts'
import { createCloud } from '../cloud.ts'
import { openBus } from './bus.ts'
import { StartError } from './data-dir.ts'
import { databaseFile, openDatabase } from './database.ts'
import { configOf, readSettings } from './settings.ts'
import { stopAsked } from './stop.ts'

export interface ServeOptions {
  data: string
  host: string
  port: number
  /** Its name among the nodes of the cloud. */
  node: string
}

export async function serve({ data, host, port, node }: ServeOptions): Promise<number> {
  using _alive = keepAlive()
  const settings = readSettings(data, [
    `image.directory=${join(data, 'images')}`,
    ...[`image.cache_node=${node}`, `image.cache_directory=${join(data, `image-cache-${node}`)}`],
    // Another node may have revoked something a moment ago.
    'identity.cache_trust_ms=0',
  ])
  const config = configOf(settings)
  const { log_level, database_url, nats_url } = config.of(cloudConfig)
  if (!nats_url)
    throw new StartError(`a node meets its cloud at a NATS server: set cloud.nats_url in ${data}/nephos.yaml`)
  const file = join(data, databaseFile)
  if (!database_url && !existsSync(file))
    throw new StartError(`there is no cloud in ${data}: start it with nephos up, or set cloud.database_url`)
  if (node === hostname()) throw new StartError(`${node} is the node of nephos up here: give another --node`)
  await using stack = new AsyncDisposableStack()
  const clock = systemClock()
  const log = createLog({ level: log_level, destination: join(data, `nephos-${node}.log`) }).child({ process: node })
  const none = () => {
    throw new Error('there is a NATS server')
  }
  const bus = stack.use(await openBus(config.of(cloudConfig), clock, log, none))
  const ids = systemIds()
  const named = await takeName(bus, node, ids.uuid())
  if (!named) throw new StartError(`a node ${node} is running: give another --node`)
  stack.use(named)
  const database = stack.use(await openDatabase(config.of(cloudConfig), file))
  const own = { apiOnly: true, processName: node, isNode: true }
  const parts = { config, database, bus, clock, ids, log, policyOverrides: settings.policy }
  const cloud = stack.use(await createCloud({ ...parts, ...own }))
  await bus.flush()
  await cloud.begin()
  process.stdout.write(`ready ${await cloud.listen(host, port)}\n`)
  await stopAsked()
  return 0
}
