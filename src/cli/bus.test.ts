/** Settings of the bus that would not keep what they promise stop the start. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { cloudConfig } from '#kernel/config/cloud-config.ts'
import { loadConfig } from '#kernel/config/load.ts'
import { silentLog } from '#kernel/log.ts'
import { openBus } from './bus.ts'

const opened = (...overrides: string[]) => {
  const config = loadConfig([cloudConfig], { overrides: ['cloud.nats_url=nats://127.0.0.1:1', ...overrides] })
  return openBus(config.of(cloudConfig), systemClock(), silentLog(), () => assert.fail('a NATS server is named'))
}

test('a short key, half a certificate and a certificate without an authority are refused before anything is sent', async () => {
  const long = 'x'.repeat(32)
  await assert.rejects(opened('cloud.bus_key=short'), /bus_key needs 32 characters/)
  await assert.rejects(opened(`cloud.bus_key=${long} short`), /bus_key needs 32 characters/)
  await assert.rejects(opened('cloud.nats_tls.cert_file=a.pem'), /cert_file and key_file, or neither/)
  await assert.rejects(
    opened('cloud.nats_tls.cert_file=a.pem', 'cloud.nats_tls.key_file=b.pem'),
    /nats_tls needs ca_file/,
  )
  await assert.rejects(opened('cloud.nats_credentials_file=/nowhere'), /nats_credentials_file cannot be read/)
  await assert.rejects(opened(`cloud.bus_key=${long}`), /nats_url was not reached/)
})
