/** The addresses of a host, as operators read them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fixedLines } from './fixed-list.ts'

test('each address of a server is a line, with the server and the MAC; ports of others are left out', () => {
  const port = (device_id: string, device_owner: string, ...addresses: string[]) => ({
    ...{ device_id, device_owner, mac_address: `mac-${device_id}` },
    fixed_ips: addresses.map(ip_address => ({ ip_address })),
  })
  const ports = [
    port('s2', 'compute:nova', '10.0.0.7', 'fd00::7'),
    port('s1', 'compute:az2', '10.0.0.12'),
    port('r', 'network:dhcp', '10.0.0.2'),
  ]
  assert.deepEqual(fixedLines(ports), ['10.0.0.12  s1  mac-s1', '10.0.0.7   s2  mac-s2', 'fd00::7    s2  mac-s2'])
  assert.deepEqual(fixedLines([]), [])
})
