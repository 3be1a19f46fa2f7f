/** What clients do with servers: all actions that there are, in any state. */
import type { Account, Request } from './clients.ts'
import type { Dice } from './dice.ts'
import { softwareWish } from './mix-guests.ts'

/** What clients know of a cloud. */
export interface Scene {
  readonly dice: Dice
  readonly seed: number
  readonly hosts: readonly { readonly name: string }[]
  /** An image, one whose guests have an agent, a network for servers, and the one that leads outside. */
  readonly first: { image: string; agentImage: string; network: string; outside: string }
  /** One of a server's ports. */
  portOf(server: string): string | undefined
  /** A server whose host does not answer, whosever it is. */
  lostServer(): string | undefined
}

/** What one client may do: a request, or nothing when it has nothing to do it with. */
export type Act = (world: Scene, account: Account) => Request | undefined

const compute = '/compute/v2.1'
const newest = { 'openstack-api-version': 'compute latest' }
const flavors = ['1', '2', '42', '42']

const post = (path: string, body: unknown, more: Partial<Request> = {}): Request => ({
  method: 'POST',
  path: `${compute}${path}`,
  body,
  headers: newest,
  ...more,
})

function networksOf(world: Scene, account: Account): unknown {
  const { dice, first } = world
  const port = dice.pick(account.known.port)
  if (port && dice.chance(0.15)) return [{ port }]
  const own = dice.pick(account.known.network)
  if (own && dice.chance(0.15)) return [{ uuid: own }]
  return dice.chance(0.15) ? dice.pick(['auto', 'none']) : [{ uuid: first.network }]
}

/** What any server may be asked to be. */
export function serverWish(world: Scene, account: Account) {
  const { dice, first } = world
  const key = dice.chance(0.3) ? dice.pick(account.known.keypair) : undefined
  return {
    name: `vm-${dice.between(1, 99)}`,
    ...(dice.chance(0.5) && { metadata: { HA_Enabled: 'true' } }),
    imageRef: (dice.chance(0.1) && account.known.image.at(-1)) || dice.pick([first.image, first.agentImage]),
    ...(dice.chance(0.1) && { imageRef: first.agentImage, 'os-software:request': softwareWish(world) }),
    flavorRef: dice.pick(flavors),
    networks: networksOf(world, account),
    ...(key && { key_name: key }),
  }
}

const create: Act = (world, account) => {
  if (account.known.server.length > 12) return undefined
  const { dice } = world
  const group = dice.chance(0.2) ? dice.pick(account.known.server_group) : undefined
  const several = dice.chance(0.1) && { min_count: 1, max_count: 3 }
  const server = { ...serverWish(world, account), ...several }
  return post('/servers', { server, ...(group && { 'os:scheduler_hints': { group } }) }, { makes: 'server' })
}

type Body = Record<string, unknown>

/** A body for each action, by its key. */
export const actions: Record<string, (world: Scene, account: Account) => Body | null | undefined> = {
  'os-start': () => null,
  'os-stop': () => null,
  'power-off': () => null,
  'power-on': () => null,
  pause: () => null,
  unpause: () => null,
  suspend: () => null,
  resume: () => null,
  reboot: ({ dice }) => ({ type: dice.pick(['SOFT', 'HARD']) }),
  rebuild: ({ dice, first }) => ({ imageRef: dice.pick([first.image, first.agentImage]) }),
  rescue: () => ({ adminPass: 'secret' }),
  unrescue: () => null,
  createImage: ({ dice }) => ({ name: `snap-${dice.between(1, 99)}` }),
  createBackup: ({ dice }) =>
    dice.pick([
      { name: 'backup', backup_type: 'daily', rotation: 1 },
      { name: 'changes', backup_type: 'incremental', rotation: 3 },
    ]),
  trigger_crash_dump: () => null,
  changePassword: () => ({ adminPass: 'changed' }),
  lock: () => null,
  unlock: () => null,
  resize: ({ dice }) => ({ flavorRef: dice.pick(flavors) }),
  confirmResize: () => null,
  revertResize: () => null,
  migrate: () => null,
  'os-migrateLive': () => ({ host: null, block_migration: 'auto' }),
  'nephos-migrate': ({ dice }) => ({ live: dice.pick(['yes', 'no', 'auto']) }),
  evacuate: () => ({}),
  shelve: () => null,
  shelveOffload: () => null,
  unshelve: () => null,
  restore: () => null,
  forceDelete: () => null,
  injectNetworkInfo: () => null,
  resetNetwork: () => null,
  'os-resetState': ({ dice }) => ({ state: dice.pick(['active', 'error']) }),
  'os-getConsoleOutput': () => ({ length: 5 }),
  'os-getVNCConsole': () => ({ type: 'novnc' }),
  'os-getSPICEConsole': () => ({ type: 'spice-html5' }),
  'os-getSerialConsole': () => ({ type: 'serial' }),
  'os-getRDPConsole': () => ({ type: 'rdp-html5' }),
  addSecurityGroup: () => ({ name: 'default' }),
  removeSecurityGroup: () => ({ name: 'default' }),
  addFixedIp: ({ first }) => ({ networkId: first.network }),
  removeFixedIp: ({ dice }) => ({ address: `10.0.0.${dice.between(2, 9)}` }),
  addFloatingIp: () => ({ address: '203.0.113.77' }),
  removeFloatingIp: () => ({ address: '203.0.113.77' }),
}

/** Asked for by old clients only: the newest version does not have them. */
const old = new Set([
  ...['addFixedIp', 'removeFixedIp', 'addFloatingIp', 'removeFloatingIp', 'resetNetwork', 'os-getRDPConsole'],
])
/** Only admins may; they are let do it to anybody's servers. */
const forAdmins = new Set([
  'os-resetState',
  'migrate',
  'os-migrateLive',
  'nephos-migrate',
  'evacuate',
  'injectNetworkInfo',
  'resetNetwork',
])

const act: Act = (world, account) => {
  const id = anyServer(world, account)
  const names = Object.keys(actions).filter(name => account.name === 'admin' || !forAdmins.has(name))
  const name = world.dice.pick(names)!
  if (!id) return undefined
  // What makes a server unlike its guest on purpose would hide what is wrong.
  if (name === 'os-resetState' && world.dice.chance(0.8)) return undefined
  const request = post(`/servers/${id}/action`, { [name]: actions[name]!(world, account) })
  return old.has(name) ? { ...request, headers: { 'openstack-api-version': 'compute 2.1' } } : request
}

/** What operators do when a host is away. */
const evacuate: Act = (world, { name }) => {
  const id = name === 'admin' ? world.lostServer() : undefined
  return id === undefined ? undefined : post(`/servers/${id}/action`, { evacuate: {} })
}

function anyServer(world: Scene, account: Account): string | undefined {
  return world.dice.pick(account.known.server)
}

const remove: Act = (world, account) => {
  const id = anyServer(world, account)
  return id === undefined
    ? undefined
    : { method: 'DELETE', path: `${compute}/servers/${id}`, headers: newest, removes: ['server', id] }
}

const show: Act = (world, account) => {
  const id = anyServer(world, account)
  if (!id) return undefined
  const path = world.dice.pick(['', '/os-interface', '/os-instance-actions', '/diagnostics', '/ips', '/metadata'])!
  return { method: 'GET', path: `${compute}/servers/${id}${path}`, headers: newest }
}

const list: Act = world => ({
  method: 'GET',
  path: `${compute}/servers${world.dice.pick(['', '/detail', '/detail?status=ACTIVE', '?sort_key=created_at&limit=3'])}`,
  headers: newest,
})

const update: Act = (world, account) => {
  const id = anyServer(world, account)
  if (!id) return undefined
  const body = { server: { name: `renamed-${world.dice.between(1, 99)}` } }
  return { method: 'PUT', path: `${compute}/servers/${id}`, body, headers: newest }
}

const metadata: Act = (world, account) => {
  const id = anyServer(world, account)
  return id === undefined
    ? undefined
    : post(`/servers/${id}/metadata`, { metadata: { k: String(world.dice.between(0, 9)) } })
}

const attach: Act = (world, account) => {
  const id = anyServer(world, account)
  if (!id) return undefined
  const port = world.dice.pick(account.known.port)
  const wish = port && world.dice.chance(0.5) ? { port_id: port } : { net_id: world.first.network }
  return post(`/servers/${id}/os-interface`, { interfaceAttachment: wish })
}

const detach: Act = (world, account) => {
  const id = anyServer(world, account)
  const port = id && world.portOf(id)
  if (!id || !port) return undefined
  return { method: 'DELETE', path: `${compute}/servers/${id}/os-interface/${port}`, headers: newest }
}

const keypair: Act = (world, account) => {
  const { dice, seed } = world
  const name = `key-${seed}-${dice.between(1, 5)}`
  const known = account.known.keypair.includes(name)
  if (known)
    return { method: 'DELETE', path: `${compute}/os-keypairs/${name}`, headers: newest, removes: ['keypair', name] }
  return post('/os-keypairs', { keypair: { name, public_key: publicKey, type: 'ssh' } }, { makes: 'keypair' })
}

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvZ3VzYm9ndXNib2d1c2JvZ3VzYm9ndXNib2d1c2Jv who@where'

const group: Act = (world, account) => {
  const { dice } = world
  const id = dice.pick(account.known.server_group)
  if (id && dice.chance(0.4))
    return {
      method: 'DELETE',
      path: `${compute}/os-server-groups/${id}`,
      headers: newest,
      removes: ['server_group', id],
    }
  const policy = dice.pick(['affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity'])
  return post('/os-server-groups', { server_group: { name: 'g', policy } }, { makes: 'server_group' })
}

/** Weights beside what they weigh. */
export const serverActs: Record<string, [number, Act]> = {
  create: [14, create],
  act: [22, act],
  evacuate: [5, evacuate],
  remove: [7, remove],
  show: [4, show],
  list: [2, list],
  update: [1, update],
  metadata: [2, metadata],
  attach: [3, attach],
  detach: [3, detach],
  keypair: [1, keypair],
  group: [2, group],
}
