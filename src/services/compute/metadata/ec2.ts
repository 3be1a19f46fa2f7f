/** Metadata in the form of Amazon's EC2: a tree of names and values. */
import type { GuestFacts } from './facts.ts'

export const ec2Versions: readonly string[] = [
  ...['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01', '2008-09-01'],
  ...['2009-04-04', 'latest'],
]

export type Ec2Tree = { [name: string]: Ec2Value }
export type Ec2Value = string | string[] | Buffer | Ec2Tree

const has = (version: string, since: string) => ec2Versions.indexOf(version) >= ec2Versions.indexOf(since)

/** An id as EC2 writes it, from a UUID. */
const shortId = (kind: string, uuid: string) => `${kind}-${uuid.replaceAll('-', '').slice(0, 17)}`

/** Undefined for an unknown version. */
export function ec2Tree(facts: GuestFacts, version: string): Ec2Tree | undefined {
  if (!ec2Versions.includes(version)) return undefined
  return {
    'meta-data': metaData(facts, version),
    ...(facts.user_data && { 'user-data': facts.user_data }),
  }
}

function metaData(facts: GuestFacts, version: string): Ec2Tree {
  const { server, ports, key, hostname } = facts
  const { image } = server
  const addresses = ports.flatMap(port => port.fixed_ips).filter(ip => ip.version === 4)
  const groups = ports.flatMap(port => port.security_groups.map(group => group.name))
  return {
    ...(image && { 'ami-id': shortId('ami', image.id) }),
    'ami-launch-index': String(server.launch_index),
    'ami-manifest-path': 'FIXME',
    'instance-id': shortId('i', server.id),
    hostname,
    'local-ipv4': addresses[0]?.ip_address ?? '',
    'reservation-id': server.reservation_id,
    'security-groups': [...new Set(groups)],
    ...(key && { 'public-keys': { '0': { 'openssh-key': key.data } } }),
    ...(has(version, '2007-01-19') && {
      'local-hostname': hostname,
      'public-hostname': hostname,
      'public-ipv4': ports.flatMap(port => port.floating_ips)[0] ?? '',
    }),
    ...(has(version, '2007-08-29') && { 'instance-type': server.flavor.name }),
    ...(has(version, '2007-12-15') && {
      'block-device-mapping': deviceMapping(facts),
      ...(image?.kernel && { 'kernel-id': shortId('aki', image.kernel.id) }),
      ...(image?.ramdisk && { 'ramdisk-id': shortId('ari', image.ramdisk.id) }),
    }),
    ...(has(version, '2008-02-01') && { placement: { 'availability-zone': facts.zone } }),
    ...(has(version, '2008-09-01') && { 'instance-action': 'none' }),
  }
}

/** Names of the disks, which follow each other from the root disk's on. */
function deviceMapping({ server: { root_device_name, flavor } }: GuestFacts): Ec2Tree {
  const after = (places: number) =>
    root_device_name.slice(0, -1) +
    String.fromCharCode(root_device_name.charCodeAt(root_device_name.length - 1) + places)
  const ephemeral = flavor.ephemeral > 0 ? 1 : 0
  return {
    ami: root_device_name.replace('/dev/', ''),
    root: root_device_name,
    ...(ephemeral && { ephemeral0: after(1) }),
    ...(flavor.swap > 0 && { swap: after(ephemeral + 1) }),
  }
}

/** What a path leads to; undefined when to nothing. */
export function ec2Item(tree: Ec2Tree, path: readonly string[]): Ec2Value | undefined {
  let found: Ec2Value | undefined = tree
  for (const name of path) {
    if (!isTree(found) || !Object.hasOwn(found, name)) return undefined
    found = found[name]
  }
  return found
}

const isTree = (value: Ec2Value | undefined): value is Ec2Tree =>
  typeof value === 'object' && !Array.isArray(value) && !Buffer.isBuffer(value)

/** A value as it is sent: a tree as the list of its names. Keys are listed with the name that their owner gave them. */
export function ec2Text(value: Ec2Value, keyName: string | undefined): string | Buffer {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.join('\n')
  const names = Object.keys(value).sort()
  return names
    .map(name => {
      const below = value[name]!
      if (isTree(below) && Object.hasOwn(below, 'openssh-key')) return `${name}=${keyName}`
      return isTree(below) ? `${name}/` : name
    })
    .join('\n')
}
