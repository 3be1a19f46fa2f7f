/** The bus that the configuration names. */
import { readFileSync } from 'node:fs'
import type { Bus } from '#kernel/bus/bus.ts'
import type { NatsOptions } from '#kernel/bus/nats.ts'
import type { Clock } from '#kernel/clock.ts'
import type { cloudConfig } from '#kernel/config/cloud-config.ts'
import type { Values } from '#kernel/config/section.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import { StartError } from './data-dir.ts'

type Settings = Values<typeof cloudConfig>

/** NATS where an address of it is given, and otherwise what `own` makes. `one` of several processes on the same settings, which the first has warned of. */
export async function openBus(
  settings: Settings,
  clock: Clock,
  log: Log,
  own: () => Bus,
  { one = false } = {},
): Promise<Bus> {
  if (!settings.nats_url) return own()
  const options = natsOptions(settings)
  if (!options.key && !one)
    log.warn('who may listen on the NATS server reads all that hosts are told, passwords too: set cloud.bus_key')
  // Loaded only where it is used: it costs start-up time.
  const { natsBus } = await import('#kernel/bus/nats.ts')
  try {
    return await natsBus(options, clock, log)
  } catch (cause) {
    throw new StartError(
      `the NATS server of cloud.nats_url was not reached (${messageOf(cause)}): start it, or mend the address`,
      { cause },
    )
  }
}

const leastKey = 32

function natsOptions({ nats_url, nats_tls, nats_credentials_file, bus_key }: Settings): NatsOptions {
  if (bus_key.split(/\s+/).some(key => key !== '' && key.length < leastKey))
    throw new StartError(`cloud.bus_key needs ${leastKey} characters or more: openssl rand -base64 32`)
  return {
    servers: nats_url,
    key: bus_key.trim(),
    ...tlsOf(nats_tls),
    ...(nats_credentials_file && identityIn(nats_credentials_file)),
  }
}

function tlsOf({ ca_file, cert_file, key_file }: Settings['nats_tls']): Pick<NatsOptions, 'tls'> {
  if (!cert_file !== !key_file) throw new StartError('cloud.nats_tls needs cert_file and key_file, or neither')
  if (ca_file) return { tls: { caFile: ca_file, ...(cert_file && { certFile: cert_file, keyFile: key_file }) } }
  if (cert_file) throw new StartError('cloud.nats_tls needs ca_file: the authority of the NATS server')
  return {}
}

function identityIn(file: string): Pick<NatsOptions, 'credentials' | 'nkey'> {
  const text = readText(file)
  return /-----BEGIN/.test(text) ? { credentials: text } : { nkey: text }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new StartError(`cloud.nats_credentials_file cannot be read (${messageOf(cause)})`, { cause })
  }
}
