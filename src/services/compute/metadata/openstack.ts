/** Metadata in OpenStack's own form: a folder of documents for each version of the format. */
import type { GuestFacts } from './facts.ts'

const versions = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
] as const

export const openstackVersions: readonly string[] = [...versions, 'latest']

/** Whether documents of `version` have what came with `since`. Versions are dates, and `latest` sorts after them. */
const has = (version: string, since: (typeof versions)[number]) => version >= since

export type Content = { type: 'text' | 'json'; content: string | Buffer }

/** Made when it is asked for: the vendor's take time. */
export type Document = () => Content | Promise<Content>

const json = (value: unknown): Content => ({ type: 'json', content: JSON.stringify(value) })
const text = (content: string | Buffer): Content => ({ type: 'text', content })

/** The documents of a version by name; undefined for an unknown version. */
export function openstackDocuments(facts: GuestFacts, version: string): Record<string, Document> | undefined {
  if (!openstackVersions.includes(version)) return undefined
  const { user_data, encrypted_password, network, vendor } = facts
  return {
    'meta_data.json': () => json(metaData(facts, version)),
    ...(user_data && { user_data: () => text(user_data) }),
    ...(has(version, '2013-04-04') && { password: () => text(encrypted_password ?? '') }),
    ...(has(version, '2013-10-17') && { 'vendor_data.json': async () => json(await vendor.file()) }),
    ...(has(version, '2015-10-15') && { 'network_data.json': () => json(network) }),
    ...(has(version, '2016-10-06') && {
      'vendor_data2.json': async () => json({ static: await vendor.file(), ...(await vendor.targets()) }),
    }),
  }
}

/** Files that the guest shall put in place, by the names under which they can be read. */
export function fileContents({ files }: GuestFacts): Record<string, Buffer> {
  return Object.fromEntries(files.map(({ contents }, index) => [contentName(index), contents]))
}

const contentName = (index: number) => String(index).padStart(4, '0')

function metaData(facts: GuestFacts, version: string): Record<string, unknown> {
  const { server, key, files } = facts
  return {
    uuid: server.id,
    ...(Object.keys(server.metadata).length > 0 && { meta: server.metadata }),
    ...(files.length > 0 && {
      files: files.map(({ path }, index) => ({ path, content_path: `/content/${contentName(index)}` })),
    }),
    ...(key && { public_keys: { [key.name]: key.data }, keys: [key] }),
    hostname: facts.hostname,
    name: server.display_name,
    launch_index: server.launch_index,
    availability_zone: facts.zone,
    ...(has(version, '2013-04-04') && { random_seed: facts.random_seed }),
    ...(has(version, '2015-10-15') && { project_id: server.project_id }),
    ...(has(version, '2016-06-30') && { devices: taggedDevices(facts) }),
    ...(has(version, '2020-10-14') && { dedicated_cpus: [] }),
    ...(facts.admin_password !== null && { admin_pass: facts.admin_password }),
  }
}

/** NICs that were given a tag at creation, so that software in the guest can tell which is which. */
function taggedDevices({ ports }: GuestFacts) {
  return ports.flatMap(({ tag, mac_address }) =>
    tag === null ? [] : [{ type: 'nic', bus: 'none', address: 'none', mac: mac_address, tags: [tag] }],
  )
}
