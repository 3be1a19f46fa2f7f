/** Two API processes race for the last address of a pool: one has it, the other hears that there is none, however often (S-043). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { natsBinary, startNats, stopNats } from '../../src/kernel/bus/fixtures/nats-server.ts'
import { postgresFolder, startPostgres } from '../../tools/test-servers.ts'
import { type Admin, logIn, startCloud, startNode } from '../conformance/cloud.ts'
import { temporaryFolder } from './client.ts'

const rounds = 50

interface Race {
  collection: string
  body: object
}

/** A pool of one address for ports, and one for floating IPs. */
async function pools(admin: Admin): Promise<Race[]> {
  const poolOfOne = async (cidr: string, last: string, more: object) => {
    const made = await admin.post<{ network: { id: string } }>('network', '/v2.0/networks', {
      network: { name: cidr, ...more },
    })
    const network_id = made.network.id
    const allocation_pools = [{ start: last, end: last }]
    const subnet = { network_id, cidr, ip_version: 4, enable_dhcp: false, allocation_pools }
    await admin.post('network', '/v2.0/subnets', { subnet })
    return network_id
  }
  const network_id = await poolOfOne('10.99.1.0/24', '10.99.1.7', {})
  const outside = await poolOfOne('10.99.2.0/24', '10.99.2.7', { 'router:external': true })
  return [
    { collection: 'ports', body: { port: { network_id } } },
    { collection: 'floatingips', body: { floatingip: { floating_network_id: outside } } },
  ]
}

const skip = natsBinary === undefined && 'needs nats-server'

for (const [engine, skipped] of [
  ['SQLite', skip],
  ['PostgreSQL', skip || (postgresFolder() === undefined && 'needs PostgreSQL')],
] as const) {
  test(`of two that want the last address one gets it (${engine})`, { skip: skipped, timeout: 1_200_000 }, async t => {
    await using folder = temporaryFolder()
    await using stack = new AsyncDisposableStack()
    const nats = await startNats(folder.path)
    stack.defer(() => stopNats(nats.child))
    const kept = engine === 'PostgreSQL' && { database_url: stack.use(await startPostgres()).url }
    const settings = { cloud: { nats_url: `nats://127.0.0.1:${nats.port}`, bus_key: 'k'.repeat(40), ...kept } }
    const cloud = stack.use(await startCloud({ flags: ['--simulated'], settings }))
    const node = stack.use(await startNode(cloud, 'second'))
    const admin = await logIn(cloud)
    const headers = { 'x-auth-token': admin.token, 'content-type': 'application/json' }
    const both = [cloud.url, node.url].map(url => `${url}/network/v2.0`)
    const wins = [0, 0]
    for (const { collection, body } of await pools(admin)) {
      for (let round = 0; round < rounds; round++) {
        // Each is asked first in turn.
        const order = round % 2 === 0 ? [0, 1] : [1, 0]
        const sent = { method: 'POST', headers, body: JSON.stringify(body) }
        const answers = await Promise.all(order.map(at => fetch(`${both[at]}/${collection}`, sent)))
        const codes = answers.map(answer => answer.status)
        assert.deepEqual([...codes].sort(), [201, 409], `${collection}, round ${round}`)
        const won = codes.indexOf(201)
        wins[order[won]!]!++
        const [one] = Object.values((await answers[won]!.json()) as Record<string, { id: string }>)
        const { NeutronError } = (await answers[1 - won]!.json()) as { NeutronError: { type: string } }
        assert.match(NeutronError.type, /^(IpAddressGenerationFailure|ExternalIpAddressExhausted)$/)
        const gone = await fetch(`${both[round % 2]}/${collection}/${one!.id}`, { method: 'DELETE', headers })
        assert.equal(gone.status, 204)
      }
    }
    t.diagnostic(`won ${wins[0]} times by the first process, ${wins[1]} times by the second`)
  })
}
