/** Fills a cloud with projects and servers through its own APIs, as users would. */
import type { Cloud } from '../cloud.ts'
import type { Filled, Preset } from './controls.ts'

type Project = Filled['projects'][number]

/** Servers of one request. */
const batch = 50

interface Named {
  id: string
  name: string
}

type Account = Named

/** A cloud that is asked without a socket. */
function requester({ http }: Cloud) {
  async function ask<T>(method: 'GET' | 'POST' | 'PUT', url: string, token: string, body?: unknown): Promise<T> {
    const headers = { 'x-auth-token': token, 'openstack-api-version': 'compute 2.90' }
    const answer = await http.inject({ method, url, headers, ...(body !== undefined && { payload: body as object }) })
    if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${answer.body}`)
    return (answer.body ? JSON.parse(answer.body) : undefined) as T
  }
  async function login(name: string, password: string): Promise<string> {
    const domain = { id: 'default' }
    const auth = {
      identity: { methods: ['password'], password: { user: { name, domain, password } } },
      scope: { project: { name, domain } },
    }
    const url = '/identity/v3/auth/tokens?nocatalog'
    const answer = await http.inject({ method: 'POST', url, payload: { auth } })
    if (answer.statusCode !== 201) throw new Error(`${name} cannot log in: ${answer.statusCode} ${answer.body}`)
    return String(answer.headers['x-subject-token'])
  }
  return { ask, login }
}

type Requester = ReturnType<typeof requester>

export async function fillCloud(
  cloud: Cloud,
  { projects = 0, servers = 0 }: Preset,
  passwords: { admin: string; demo: string },
): Promise<Project[]> {
  if (projects === 0 && servers === 0) return []
  const client = requester(cloud)
  const admin = await client.login('admin', passwords.admin)
  const accounts =
    projects > 0 ? await newAccounts(cloud, client, admin, projects, passwords.demo) : [await demoOf(client, admin)]
  const filled: Project[] = []
  for (const [i, account] of accounts.entries()) {
    const count = Math.floor((servers * (i + 1)) / accounts.length) - Math.floor((servers * i) / accounts.length)
    await liftQuotas(client, admin, account.id)
    const token = await client.login(account.name, passwords.demo)
    const network = await makeNetwork(client, token, projects > 0 ? account.name : 'servers')
    await makeServers(client, token, network, count)
    filled.push({ id: account.id, name: account.name, user: account.name, servers: count })
  }
  await cloud.env.sagas.idle()
  return filled
}

/** Projects of the first names that are free, each with a user. */
async function newAccounts(cloud: Cloud, client: Requester, admin: string, count: number, password: string) {
  const { projects } = await client.ask<{ projects: Account[] }>('GET', '/identity/v3/projects', admin)
  const taken = new Set(projects.map(({ name }) => name))
  const accounts: Account[] = []
  for (let n = 1; accounts.length < count; n++) {
    const name = `project-${n}`
    if (taken.has(name)) continue
    const account = { project: name, user: name, password, role: 'member' }
    const { project_id } = await cloud.env.services.identity.ensureAccount(cloud.ctx(), account)
    accounts.push({ name, id: project_id })
  }
  return accounts
}

async function demoOf(client: Requester, admin: string): Promise<Account> {
  const { projects } = await client.ask<{ projects: Account[] }>('GET', '/identity/v3/projects?name=demo', admin)
  return projects[0]!
}

async function liftQuotas(client: Requester, admin: string, project: string): Promise<void> {
  const quota_set = { instances: -1, cores: -1, ram: -1 }
  await client.ask('PUT', `/compute/v2.1/os-quota-sets/${project}`, admin, { quota_set })
  await client.ask('PUT', `/network/v2.0/quotas/${project}`, admin, { quota: { network: -1, subnet: -1, port: -1 } })
}

/** A network of its own, with room for sixty thousand servers. */
async function makeNetwork(client: Requester, token: string, name: string): Promise<string> {
  const url = '/network/v2.0'
  const { network } = await client.ask<{ network: Named }>('POST', `${url}/networks`, token, { network: { name } })
  const subnet = { name, network_id: network.id, ip_version: 4, cidr: '10.0.0.0/16' }
  await client.ask('POST', `${url}/subnets`, token, { subnet })
  return network.id
}

async function makeServers(client: Requester, token: string, network: string, count: number): Promise<void> {
  if (count === 0) return
  const { flavors } = await client.ask<{ flavors: Named[] }>('GET', '/compute/v2.1/flavors', token)
  const { images } = await client.ask<{ images: Named[] }>('GET', '/image/v2/images?name=tiny', token)
  const flavorRef = flavors.find(({ name }) => name === 'm1.nano')!.id
  for (let made = 0; made < count; made += batch) {
    const more = Math.min(batch, count - made)
    // Several at once are numbered from 1 in each request.
    const name = count > batch ? `server-${1 + made / batch}` : 'server'
    const server = { name, flavorRef, imageRef: images[0]!.id, networks: [{ uuid: network }] }
    const body = { server: { ...server, min_count: more, max_count: more } }
    await client.ask('POST', '/compute/v2.1/servers', token, body)
  }
}
