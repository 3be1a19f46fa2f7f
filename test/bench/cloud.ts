/** The cloud that is measured, with clients that are logged in, and servers in it. */
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Baseline } from './baseline.ts'
import { type Client, clientWith, type Entry, entriesOf, login } from './process.ts'
import type { Table } from './table.ts'

export interface Bench {
  table: Table
  baseline: Baseline
  child: ChildProcess
  data: string
  entry: Entry
  /** Of the project demo, and of its admin. */
  demo: Client
  admin: Client
  token: string
}

export async function openBench(table: Table, baseline: Baseline, child: ChildProcess, data: string): Promise<Bench> {
  const { nephos, 'nephos-admin': operator } = entriesOf(data)
  const token = await login(nephos!)
  const admin = clientWith(await login(operator!))
  return { table, baseline, child, data, entry: nephos!, demo: clientWith(token), admin, token }
}

export async function flavorsByName(demo: Client): Promise<Map<string, string>> {
  const { flavors } = await demo.json<{ flavors: { id: string; name: string }[] }>('/compute/v2.1/flavors')
  return new Map(flavors.map(flavor => [flavor.name, flavor.id]))
}

export const serversPath = '/compute/v2.1/servers'

export interface Servers {
  /** Asks for one and gives its id. */
  post(name: string): Promise<string>
  /** Asks for many in one call. */
  postMany(name: string, count: number): Promise<void>
  is(id: string, status: string): Promise<void>
  gone(id: string): Promise<void>
  /** Waits until none is being built. Throws when one has failed. */
  built(): Promise<void>
  /** The ids of those made one by one. */
  made: string[]
}

/** Takes the limits away and makes a network that is large enough. */
export async function prepareServers({ demo, admin }: Bench): Promise<Servers> {
  const { projects } = await demo.json<{ projects: { id: string }[] }>('/identity/v3/auth/projects')
  const project = projects[0]!.id
  const quota_set = { instances: -1, cores: -1, ram: -1 }
  await admin.send('PUT', `/compute/v2.1/os-quota-sets/${project}`, { quota_set }, 200)
  await admin.send('PUT', `/network/v2.0/quotas/${project}`, { quota: { port: -1 } }, 200)
  const { images } = await demo.json<{ images: { id: string }[] }>('/image/v2/images')
  const path = '/network/v2.0/networks'
  const { network } = await demo.send<{ network: { id: string } }>('POST', path, { network: { name: 'bench' } }, 201)
  const subnet = { network_id: network.id, ip_version: 4, cidr: '10.0.0.0/8' }
  await demo.send('POST', '/network/v2.0/subnets', { subnet }, 201)
  const flavorRef = (await flavorsByName(demo)).get('m1.nano')
  const common = { imageRef: images[0]!.id, flavorRef, networks: [{ uuid: network.id }] }
  const made: string[] = []
  async function until(id: string, good: (status: string) => boolean): Promise<void> {
    for (;;) {
      const answer = await demo.ask<{ server?: { status: string } }>(`${serversPath}/${id}`)
      const status = answer.server?.status ?? 'gone'
      if (good(status)) return
      if (status === 'ERROR' || status === 'gone') throw new Error(`server ${id} is ${status}`)
      await sleep(2)
    }
  }
  return {
    made,
    async post(name) {
      const body = { server: { ...common, name } }
      const { server } = await demo.send<{ server: { id: string } }>('POST', serversPath, body, 202)
      made.push(server.id)
      return server.id
    },
    async postMany(name, count) {
      await demo.send('POST', serversPath, { server: { ...common, name, min_count: count } }, 202)
    },
    is: (id, status) => until(id, found => found === status),
    gone: id => until(id, found => found === 'gone'),
    async built() {
      for (;;) {
        const { servers } = await demo.json<{ servers: unknown[] }>(`${serversPath}?status=BUILD&limit=1`)
        if (servers.length === 0) break
        await sleep(50)
      }
      const { servers } = await demo.json<{ servers: { id: string }[] }>(`${serversPath}?status=ERROR&limit=1`)
      if (servers[0]) throw new Error(`server ${servers[0].id} is in ERROR`)
    },
  }
}
