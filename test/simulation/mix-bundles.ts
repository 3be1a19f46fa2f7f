/** What clients do with bundles: servers that are asked for as one, with limits on the links between them. */
import type { Account, Request } from './clients.ts'
import { moodOf } from './mix-extension.ts'
import { type Act, type Scene, serverWish } from './mix-servers.ts'

const path = '/compute/v2.1/os-bundles'
const headers = { 'openstack-api-version': 'compute latest' }

/** Two or three servers; more have no room when others are there. */
function wish(world: Scene, account: Account) {
  const { dice } = world
  const names = ['a', 'b', 'c'].slice(0, dice.between(2, 3))
  const servers = names.map(name => ({ server: { ...serverWish(world, account), name } }))
  const pairs = names.flatMap((a, at) => names.slice(at + 1).map(b => [a, b]))
  const links = pairs.map(between => ({
    between,
    max_hops: dice.pick([0, 2, 4, 4])!,
    ...(dice.chance(0.7) && { bandwidth: dice.pick([100, 400, 900])! }),
  }))
  return { bundle: { name: 'bundle', servers, links: links.filter(() => dice.chance(0.8)) } }
}

function create(world: Scene, account: Account): Request {
  const body = wish(world, account)
  const { fields, answer } = world.dice.chance(0.2) ? moodOf(world.dice) : { fields: {}, answer: {} }
  Object.assign(body.bundle.servers[1]!.server, fields)
  return {
    ...{ method: 'POST', path, headers, body, makes: 'bundle', ...answer },
    heard({ body }) {
      const ids: string[] = body?.bundle?.servers.map(({ id }: { id: string }) => id) ?? []
      account.known.server.push(...ids)
    },
  }
}

const bundles: Act = (world, account) => {
  const { dice } = world
  const { known } = account
  const id = dice.pick(known.bundle)
  if (id && dice.chance(0.3)) return { method: 'GET', path: dice.pick([path, `${path}/${id}`])!, headers }
  if (id && dice.chance(0.1)) return { method: 'DELETE', path: `${path}/${id}`, headers, removes: ['bundle', id] }
  if (account.name === 'admin' && dice.chance(0.2)) {
    const body = wish(world, account)
    return { method: 'POST', path: '/compute/v2.1/os-bundle-destinations', headers, body }
  }
  return known.server.length > 12 ? undefined : create(world, account)
}

export const bundleActs: Record<string, [number, Act]> = { bundles: [3, bundles] }
