/** Hosts in the form of os-hosts, which the client still asks for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCloud } from '../servers/fixtures/server-cloud.ts'

interface Line {
  resource: { host: string; project: string; cpu: number; memory_mb: number; disk_gb: number }
}

test('an operator sees what a host has and who uses it, until 2.42', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'] })
  const [demo, admin] = [await cloud.project('p1'), await cloud.admin()]
  const server = await cloud.boot(demo)
  const { 'OS-EXT-SRV-ATTR:host': host } = await cloud.show(admin, server.id)
  const get = <T>(path: string, version = '2.42', who: { token: string } = admin) =>
    cloud.api<T>(who, 'GET', path, undefined, version)

  const { body } = await get<{ hosts: unknown[] }>('/os-hosts')
  assert.deepEqual(
    body.hosts,
    ['h1', 'h2'].map(host_name => ({ host_name, service: 'compute', zone: 'nova' })),
  )
  assert.deepEqual((await get('/os-hosts?zone=elsewhere')).body, { hosts: [] })
  const shown = (await get<{ host: Line[] }>(`/os-hosts/${host}`)).body.host.map(line => line.resource)
  assert.deepEqual(
    shown.map(({ project, cpu, memory_mb, disk_gb }) => [project, cpu, memory_mb, disk_gb]),
    [
      ['(total)', 8, 16_384, 2000],
      ['(used_now)', 1, 128 + 512, 1],
      ['(used_max)', 1, 128, 1],
      [demo.id, 1, 128, 1],
    ],
  )
  assert.equal((await get('/os-hosts/nowhere')).status, 404)
  const refused = async (method: string, path: string, body?: object) => {
    const answer = await cloud.api<{ notImplemented: { message: string } }>(admin, method, path, body, '2.42')
    return [answer.status, Object.values(answer.body)[0]!.message]
  }
  const driver = 'Virt driver does not implement host'
  for (const verb of ['reboot', 'shutdown', 'startup']) {
    assert.deepEqual(await refused('GET', `/os-hosts/h1/${verb}`), [501, `${driver} power management.`])
    assert.equal((await get(`/os-hosts/nowhere/${verb}`)).status, 404)
    assert.equal((await get(`/os-hosts/h1/${verb}`, '2.43')).status, 404)
    assert.equal((await get(`/os-hosts/h1/${verb}`, '2.42', demo)).status, 403)
  }
  assert.deepEqual(await refused('PUT', '/os-hosts/h1', { status: 'enable' }), [501, `${driver} disabled status.`])
  const maintenance = { maintenance_mode: 'enable' }
  assert.deepEqual(await refused('PUT', '/os-hosts/h1', maintenance), [501, `${driver} maintenance mode.`])
  assert.equal((await cloud.show(admin, server.id)).status, 'ACTIVE', 'nothing was done to the host')
  assert.equal((await cloud.api(admin, 'PUT', '/os-hosts/h1', {}, '2.42')).status, 400)
  assert.equal((await get('/os-hosts', '2.43')).status, 404)
  assert.equal((await get('/os-hosts', '2.42', demo)).status, 403)
})
