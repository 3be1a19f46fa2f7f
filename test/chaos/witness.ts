/** A project that nobody at work touches: its server lives through everything, and the unmodified client works for it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { Problem } from '../simulation/invariants.ts'
import type { Clients } from './clients.ts'
import type { ChaosCloud } from './cloud.ts'

const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--nic', 'none', '--wait']

/** Runs the openstack client as the user `witness`, and returns the status of the server that it made. */
async function made(cloud: ChaosCloud, name: string): Promise<string> {
  return (await cloud.stage.json<{ status: string }>([...create, name], asWitness(cloud))).status
}

const asWitness = ({ stage }: ChaosCloud) => ({
  as: 'witness',
  env: { OS_CLIENT_CONFIG_FILE: join(stage.dir, 'witness.yaml'), OS_COMPUTE_API_VERSION: '2.90' },
})

export async function makeWitness(cloud: ChaosCloud, { witness }: Clients): Promise<void> {
  const { clouds } = parse(readFileSync(cloud.file('clouds.yaml'), 'utf8')) as {
    clouds: Record<string, { auth: Record<string, string> }>
  }
  const { nephos } = clouds
  const auth = { ...nephos!.auth, username: witness.name, password: witness.password, project_name: witness.name }
  const text = stringify({ clouds: { witness: { ...nephos, auth } } })
  writeFileSync(join(cloud.stage.dir, 'witness.yaml'), text)
  const status = await made(cloud, 'witness')
  if (status !== 'ACTIVE') throw new Error(`the witness is ${status}`)
}

export async function witnessServer({ witness, must }: Clients): Promise<{ id: string; status: string }> {
  const path = '/compute/v2.1/servers/detail?name=witness'
  const { servers } = await must<{ servers: { id: string; status: string }[] }>(witness, { method: 'GET', path })
  return servers[0] ?? { id: '', status: 'not there' }
}

export async function witnessLives(clients: Clients): Promise<Problem[]> {
  const { id, status } = await witnessServer(clients)
  return status === 'ACTIVE' ? [] : [{ invariant: 'the witness lives', about: status, ids: [id] }]
}

const oldest = { 'openstack-api-version': 'compute 2.1' }

/** The unmodified client makes a server and deletes it, on hosts that admins have not closed. */
export async function realClient(cloud: ChaosCloud, clients: Clients): Promise<void> {
  const { admin, must } = clients
  const path = '/compute/v2.1/os-services'
  const { services } = await must<{ services: { host: string }[] }>(admin, {
    ...{ method: 'GET', path: `${path}?binary=nova-compute` },
  })
  for (const { host } of services)
    await must(admin, {
      method: 'PUT',
      path: `${path}/enable`,
      body: { host, binary: 'nova-compute' },
      headers: oldest,
    })
  const status = await made(cloud, 'real')
  if (status !== 'ACTIVE') throw new Error(`a server of the real client is ${status}`)
  await cloud.stage.os(['server', 'delete', '--wait', 'real'], asWitness(cloud))
}
