/** What the tiny guest makes of a config drive's network_data.json. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const programs = join(import.meta.dirname, 'root/usr/bin')
const run = (name: string, ...args: string[]) =>
  execFileSync('sh', [join(programs, name), ...args], { encoding: 'utf8' })

const link = (id: string, mac: string) => ({ id, type: 'phy', mtu: 1450, ethernet_mac_address: mac })
const anywhere = { network: '0.0.0.0', netmask: '0.0.0.0' }
const data = {
  links: [link('tapa', 'fa:16:3e:00:00:01'), link('tapb', 'fa:16:3e:00:00:02'), link('tapc', 'fa:16:3e:00:00:03')],
  networks: [
    {
      ...{ id: 'network0', link: 'tapa', type: 'ipv4', ip_address: '10.77.0.83', netmask: '255.255.252.0' },
      routes: [
        { ...anywhere, gateway: '10.77.0.1' },
        { network: '10.8.0.0', netmask: '255.128.0.0', gateway: '10.77.0.2' },
      ],
      services: [{ type: 'dns', address: '10.77.0.3' }],
    },
    { id: 'network1', link: 'tapb', type: 'ipv4_dhcp' },
    {
      ...{ id: 'network2', link: 'tapb', type: 'ipv6', ip_address: 'fd00::7', netmask: 'ffff:ffff:ffff:fff8:0:0:0:0' },
      routes: [{ network: '::', netmask: '::', gateway: 'fd00::1' }],
      services: [],
    },
    { id: 'network3', link: 'tapc', type: 'ipv4_dhcp' },
  ],
  services: [{ type: 'dns', address: '10.77.0.3' }],
}

test('an interface gets what is said of its MAC, and nothing where DHCP says it', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'nephos-tiny-'))
  const lines = join(folder.path, 'lines')
  writeFileSync(join(folder.path, 'network_data.json'), JSON.stringify(data))
  writeFileSync(lines, run('json-lines', join(folder.path, 'network_data.json')))
  assert.deepEqual(run('static-lines', 'fa:16:3e:00:00:01', lines).split('\n'), [
    ...['mtu 1450', 'address 10.77.0.83/22', 'route 0.0.0.0/0 10.77.0.1', 'route 10.8.0.0/9 10.77.0.2'],
    ...['dns 10.77.0.3', ''],
  ])
  assert.deepEqual(run('static-lines', 'fa:16:3e:00:00:02', lines).split('\n'), [
    ...['mtu 1450', 'address fd00::7/61', 'route ::/0 fd00::1', ''],
  ])
  for (const mac of ['fa:16:3e:00:00:03', 'fa:16:3e:00:00:04']) assert.equal(run('static-lines', mac, lines), '')
  assert.equal(run('static-lines', 'fa:16:3e:00:00:01', join(folder.path, 'nothing')), '')
})
