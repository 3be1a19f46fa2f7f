/** Names of everything that this plane makes in the kernel, derived from ids; interfaces have at most 15 characters. */
import { createHash } from 'node:crypto'

/** Eleven characters of an id, as Neutron names its devices; ids that are no UUID are hashed first. */
export function short(id: string): string {
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-/.test(id)) return id.slice(0, 11)
  return createHash('sha256').update(id).digest('hex').slice(0, 11)
}

export const bridgeName = (networkId: string) => `brq${short(networkId)}`
/** A guest's port. Only guests' devices begin with `tap`: the filter drops what comes from an unknown one. */
export const tapName = (portId: string) => `tap${short(portId)}`
/** The two ends of the DHCP port's pair: in the data-plane namespace, and in the network's own. */
export const dhcpOuter = (portId: string) => `dhp${short(portId)}`
export const dhcpInner = (portId: string) => `ns-${short(portId)}`
export const routerOuter = (portId: string) => `rtr${short(portId)}`
export const routerInner = (portId: string) => `qr-${short(portId)}`
export const gatewayInner = (portId: string) => `qg-${short(portId)}`
export const externalOuter = (physical: string) =>
  `ext${createHash('sha256').update(physical).digest('hex').slice(0, 11)}`

export interface PlaneNames {
  /** The namespace with the bridges and the guests' taps. */
  dataplane: string
  dhcp(networkId: string): string
  router(routerId: string): string
  /** The host's own end of the pair into a physical network's bridge. */
  hostDevice(physical: string): string
  /** Its MAC, always the same: neighbours remember it. */
  hostMac(physical: string): string
  /** Table of address translation in the host's namespace. */
  hostTable: string
  isNamespace(name: string): boolean
  isHostDevice(name: string): boolean
}

export function planeNames(prefix: string): PlaneNames {
  if (!/^[a-z][a-z0-9]{0,7}$/.test(prefix)) {
    throw new Error(`The prefix "${prefix}" must be one to eight lower-case letters and digits, a letter first.`)
  }
  return {
    dataplane: `${prefix}-dp`,
    dhcp: networkId => `${prefix}-dhcp-${networkId}`,
    router: routerId => `${prefix}-router-${routerId}`,
    hostDevice(physical) {
      const plain = `${prefix}-${physical}`
      if (plain.length <= 15 && /^[a-z0-9-]+$/.test(plain)) return plain
      return `${prefix}-${createHash('sha256').update(physical).digest('hex').slice(0, 6)}`
    },
    hostMac(physical) {
      const bytes = createHash('sha256').update(`${prefix} ${physical}`).digest().subarray(0, 5)
      return ['02', ...[...bytes].map(byte => byte.toString(16).padStart(2, '0'))].join(':')
    },
    hostTable: prefix,
    isNamespace: name =>
      name === `${prefix}-dp` || name.startsWith(`${prefix}-dhcp-`) || name.startsWith(`${prefix}-router-`),
    isHostDevice: name => name.startsWith(`${prefix}-`),
  }
}
