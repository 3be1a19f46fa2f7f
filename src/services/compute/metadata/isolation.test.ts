/** Guests' requests as a host passes them on: who asks is known by network and address, whatever addresses projects have chosen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client } from '#kernel/bus/methods.ts'
import type { TestProject } from '../../../../test/harness.ts'
import {
  type NetworkControlMethods,
  networkControlSubject,
  networkControlVersion,
} from '../../network/agent/methods.ts'
import { type ServerCloud, serverCloud } from '../servers/fixtures/server-cloud.ts'

const address = '10.9.0.5'

/** A network of the project's own with the same addresses as everybody's, and a server at the same address. */
async function serverOf(cloud: ServerCloud, name: string) {
  const who = await cloud.project(name)
  const make = async (kind: string, attributes: object) => {
    const path = `/network/v2.0/${kind}s`
    const made = await cloud.request<Record<string, { id: string }>>('POST', path, {
      token: who.token,
      body: { [kind]: attributes },
    })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    return made.body[kind]!.id
  }
  const network = await make('network', { name })
  await make('subnet', { network_id: network, ip_version: 4, cidr: '10.9.0.0/24' })
  const server = await cloud.boot(who, { name, networks: [{ uuid: network, fixed_ip: address }] })
  assert.equal(server.status, 'ACTIVE', JSON.stringify(server.fault))
  return { who, network, id: server.id }
}

function guestAsker(cloud: ServerCloud) {
  const control = client<NetworkControlMethods>(cloud.env.bus, networkControlSubject, {
    timeoutMs: 10_000,
    version: networkControlVersion,
  })
  return async (network_id: string, source_ip: string, path: string, method = 'GET', body = '') => {
    const answer = await control.call('metadata', { host: 'h1', network_id, source_ip, method, path, body })
    return { status: answer.status, text: Buffer.from(answer.body_base64, 'base64').toString() }
  }
}

test('two projects with the same addresses: each guest is told of itself', async () => {
  await using cloud = await serverCloud()
  const [one, two] = [await serverOf(cloud, 'p1'), await serverOf(cloud, 'p2')]
  const ask = guestAsker(cloud)
  for (const { id, network, who } of [one, two]) {
    const { text } = await ask(network, address, '/openstack/latest/meta_data.json')
    const told = JSON.parse(text) as { uuid: string; project_id: string }
    assert.deepEqual([told.uuid, told.project_id], [id, who.id])
    const link = JSON.parse((await ask(network, address, '/openstack/latest/network_data.json')).text)
    assert.equal(link.networks[0].network_id, network)
  }
  assert.equal((await ask(one.network, '10.9.0.6', '/openstack')).status, 404, 'an address that no server has')
  assert.equal((await ask(one.network, 'not an address', '/openstack')).status, 404)
  assert.equal((await ask(cloud.network, address, '/openstack')).status, 404, 'the address of another network')
})

test('a password is kept for the server whose guest sent it, and for no other', async () => {
  await using cloud = await serverCloud()
  const [one, two] = [await serverOf(cloud, 'p1'), await serverOf(cloud, 'p2')]
  const ask = guestAsker(cloud)
  assert.equal((await ask(one.network, address, '/openstack/latest/password', 'POST', 'c2VjcmV0')).status, 200)
  const shown = async ({ who, id }: { who: TestProject; id: string }) =>
    (await cloud.api<{ password: string }>(who, 'GET', `/servers/${id}/os-server-password`)).body.password
  assert.deepEqual([await shown(one), await shown(two)], ['c2VjcmV0', ''])
})
