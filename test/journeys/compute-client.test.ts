/** The openstack client against a simulated cloud: what users and operators ask of compute around their servers. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createStage, missingForClient } from './stage.ts'

type Row = Record<string, unknown>

test('the client lists, shows and changes what is around servers', {
  skip: missingForClient(),
  timeout: 300_000,
}, async t => {
  await using stage = await createStage({ flags: ['--simulated', '--hosts', '2'] })
  const admin = { as: 'nephos-admin' }
  const column = (rows: Row[], name: string) => rows.map(row => row[name])

  await t.test('flavors are those of DevStack', async () => {
    const flavors = await stage.json<Row[]>(['flavor', 'list', '--sort-column', 'RAM'])
    assert.deepEqual(column(flavors, 'Name'), ['m1.nano', 'm1.micro', 'm1.tiny', 'm1.small', 'm1.medium'])
    assert.deepEqual(column(flavors, 'ID'), ['42', '84', '1', '2', '3'])
  })

  await t.test('a key pair is made, and its public half shown', async () => {
    assert.match(await stage.os(['keypair', 'create', 'k']), /^-----BEGIN .*PRIVATE KEY-----/)
    assert.match(await stage.os(['keypair', 'show', '--public-key', 'k']), /^ssh-/)
  })

  await t.test('quotas and limits', async () => {
    assert.equal((await stage.json(['quota', 'show'])).instances, 10)
    await stage.os(['quota', 'set', '--instances', '11', 'demo'], admin)
    const limits = await stage.json<Row[]>(['limits', 'show', '--absolute'])
    assert.equal(limits.find(row => row.Name === 'maxTotalInstances')?.Value, 11)
  })

  await t.test('zones, hosts, hypervisors and services', async () => {
    const zones = await stage.json<Row[]>(['availability', 'zone', 'list', '--compute'])
    assert.deepEqual(zones, [{ 'Zone Name': 'nova', 'Zone Status': 'available' }])
    const names = ['host-1', 'host-2']
    const hypervisors = await stage.json<Row[]>(['hypervisor', 'list'], admin)
    assert.deepEqual(column(hypervisors, 'Hypervisor Hostname'), names)
    assert.equal((await stage.json(['hypervisor', 'show', 'host-1'], admin)).state, 'up')
    assert.deepEqual(column(await stage.json<Row[]>(['host', 'list'], admin), 'Host Name'), names)
    await stage.os(['compute', 'service', 'set', '--disable', 'host-2', 'nova-compute'], admin)
    const services = await stage.json<Row[]>(['compute', 'service', 'list'], admin)
    assert.deepEqual(column(services, 'Status'), ['enabled', 'disabled'])
    await stage.os(['compute', 'service', 'set', '--enable', 'host-2', 'nova-compute'], admin)
  })

  await t.test('an aggregate makes a zone', async () => {
    await stage.os(['aggregate', 'create', '--zone', 'fast', 'ssd'], admin)
    await stage.os(['aggregate', 'add', 'host', 'ssd', 'host-2'], admin)
    const zones = await stage.json<Row[]>(['availability', 'zone', 'list', '--compute'])
    assert.deepEqual(column(zones, 'Zone Name').sort(), ['fast', 'nova'])
    await stage.os(['aggregate', 'remove', 'host', 'ssd', 'host-2'], admin)
    await stage.os(['aggregate', 'delete', 'ssd'], admin)
  })

  await t.test('a server of a group has consoles, and is counted as usage after its end', async () => {
    const group = await stage.json(['server', 'group', 'create', '--policy', 'anti-affinity', 'g'])
    const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private']
    const placed = ['--hint', `group=${group.id}`, '--config-drive', 'True', '--wait', 'one']
    const server = await stage.json([...create, '--key-name', 'k', ...placed])
    assert.deepEqual((await stage.json(['server', 'group', 'show', 'g'])).members, [server.id])

    const { url } = await stage.json<{ url: string }>(['console', 'url', 'show', '--novnc', 'one'])
    const page = join(stage.dir, 'page.html')
    const fetched = await stage.run('curl', ['-sS', '-o', page, '-w', '%{http_code} %{content_type}', url])
    assert.equal(fetched.out, '200 text/html; charset=utf-8')
    const serial = await stage.json<{ url: string }>(['console', 'url', 'show', '--serial', 'one'])
    assert.match(serial.url, /^ws:\/\/127\.0\.0\.1:8774\/console\/websocket\?token=/)
    await assert.rejects(stage.os(['console', 'url', 'show', '--spice', 'one']), /Unavailable console type spice-html5/)

    await stage.os(['server', 'delete', '--wait', 'one'])
    for (const version of ['2.1', '2.40']) {
      const usage = await stage.json<Row[]>(['usage', 'list', '--os-compute-api-version', version], admin)
      const names = usage.flatMap(row => (row.Servers as Row[]).map(used => used.name))
      assert.deepEqual(names, ['one'], version)
    }
    await stage.os(['server', 'group', 'delete', 'g'])
  })

  await t.test('extensions and versions', async () => {
    const extensions = await stage.json<Row[]>(['extension', 'list', '--compute'])
    assert.ok(column(extensions, 'Alias').includes('os-simple-tenant-usage'))
    const versions = await stage.json<Row[]>(['versions', 'show', '--service', 'compute'])
    assert.deepEqual(
      versions.map(one => [one.Version, one.Status]),
      [
        ['2.0', 'DEPRECATED'],
        ['2.1', 'CURRENT'],
      ],
    )
  })
})
