/** What others on a host are told of a guest's flavor. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { powerStates } from '../driver.ts'
import { findProcesses } from './process.ts'
import { clock, type Host, openHost, skip } from './test-host.ts'

describe('QEMU driver and the flavor of a guest', { skip: skip ?? false }, () => {
  let host: Host
  before(async () => {
    host = await openHost()
    mkdirSync(join(host.dir, 'hooks'))
  })
  after(() => host.close())

  const hook = (script: string) =>
    writeFileSync(join(host.dir, 'hooks/guest-started'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })

  it('is in a file beside the guest, which a hook is told of with the pid of QEMU', async () => {
    hook(`{ cat "$1"; echo "$2"; } >${host.dir}/heard`)
    const spec = host.spec({ flavor: 'm1.gold', extra_specs: { 'quota:cpu_shares': '512' } })
    await host.driver.spawn(spec, { power_on: true })
    const file = readFileSync(join(host.instances, spec.id, 'flavor.json'), 'utf8')
    const flavor = { name: 'm1.gold', vcpus: 1, memory_mb: 32, extra_specs: { 'quota:cpu_shares': '512' } }
    assert.deepEqual(JSON.parse(file), { server_id: spec.id, flavor })
    const { pid } = (await findProcesses(host.instances, clock)).get(spec.id)!
    assert.equal(readFileSync(join(host.dir, 'heard'), 'utf8'), `${file}${pid}\n`)
    await host.driver.destroy(spec.id)
  })

  it('starts guests whose hook fails', async () => {
    hook('exit 1')
    const spec = host.spec()
    await host.driver.spawn(spec, { power_on: true })
    assert.equal(await host.driver.state(spec.id), powerStates.running)
    await host.driver.destroy(spec.id)
  })
})
