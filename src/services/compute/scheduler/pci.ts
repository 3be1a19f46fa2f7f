/** Devices of hosts that guests may have: what operators offer, under which names flavors ask for them. Pure. */
import { BadTopology, flavorWish, imageWish, isYes, type Wishes } from './wishes.ts'

/** How near a device must be to the guest's memory. */
export type NumaPolicy = 'legacy' | 'required' | 'preferred' | 'socket'

export interface PciAlias {
  name: string
  resource_class: string
  traits: string[]
  numa_policy: NumaPolicy | undefined
  live_migratable: boolean
}

/** So many devices of a kind. */
export interface PciRequest {
  alias: string
  count: number
  resource_class: string
  traits: string[]
  numa_policy: NumaPolicy
}

/** A device as its host tells it. */
export interface PciFound {
  address: string
  vendor_id: string
  product_id: string
  /** Undefined: the host does not know. */
  cell?: number | undefined
}

/** A device that guests may have. */
export interface PciDevice {
  address: string
  resource_class: string
  traits: string[]
  /** The NUMA cell of the host that it is next to. */
  cell: number | undefined
}

type Fields = Record<string, string>

/** Of a setting that is JSON in text, as upstream's are; throws with the text that is wrong. */
function fieldsOf(setting: string, text: string): Fields {
  const read = (() => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      return undefined
    }
  })()
  if (typeof read === 'object' && read !== null && Object.values(read).every(value => typeof value === 'string'))
    return read as Fields
  throw new Error(`compute.pci.${setting}: ${text} is no JSON object of strings.`)
}

const namesIn = (text = '') =>
  text
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')

const custom = (name: string) => {
  const upper = name.toUpperCase().replace(/[^A-Z0-9_]/g, '_')
  return upper.startsWith('CUSTOM_') || upper === 'PCI_DEVICE' || upper === 'VGPU' || upper === 'PGPU'
    ? upper
    : `CUSTOM_${upper}`
}

const traitNames = (text: string | undefined) =>
  namesIn(text).map(name => (/^(CUSTOM|HW|COMPUTE|MISC|OWNER)_/.test(name) ? name : custom(name)))

const classOf = ({ resource_class, vendor_id, product_id }: Fields) =>
  custom(resource_class ?? `PCI_${vendor_id}_${product_id}`)

const policies: readonly string[] = ['legacy', 'required', 'preferred', 'socket']
const policyOf = (text: string | undefined) => policies.find(each => each === text) as NumaPolicy | undefined

/** The aliases of the setting by name. Throws for settings that mean nothing. */
export function pciAliases(texts: readonly string[]): ReadonlyMap<string, PciAlias> {
  return new Map(
    texts.map(text => {
      const fields = fieldsOf('alias', text)
      const { name, numa_policy } = fields
      if (!name || !(fields.resource_class || (fields.vendor_id && fields.product_id)))
        throw new Error(`compute.pci.alias: ${text} needs a name, and vendor_id with product_id or resource_class.`)
      if (numa_policy !== undefined && !policyOf(numa_policy))
        throw new Error(`compute.pci.alias: numa_policy is one of ${policies.join(', ')}, not ${numa_policy}.`)
      const alias = {
        name,
        resource_class: classOf(fields),
        traits: traitNames(fields.traits),
        numa_policy: policyOf(numa_policy),
        live_migratable: isYes(fields.live_migratable),
      }
      return [name, alias]
    }),
  )
}

/** What a flavor asks for by `pci_passthrough:alias`. Throws BadTopology. */
export function pciRequests(wishes: Wishes, aliases: ReadonlyMap<string, PciAlias>): PciRequest[] {
  const policy = affinityPolicy(wishes)
  return namesIn(wishes.extra_specs['pci_passthrough:alias']).map(asked => {
    const [name = '', count] = asked.split(':').map(part => part.trim())
    const alias = aliases.get(name)
    if (!alias) throw new BadTopology(`PCI alias ${name} is not defined`)
    if (!/^\d{1,3}$/.test(count ?? '')) throw new BadTopology(`Invalid PCI alias definition: ${asked} has no count`)
    const { resource_class, traits } = alias
    return {
      alias: name,
      count: Number(count),
      resource_class,
      traits,
      numa_policy: policy ?? alias.numa_policy ?? 'legacy',
    }
  })
}

function affinityPolicy(wishes: Wishes): NumaPolicy | undefined {
  const name = 'pci_numa_affinity_policy'
  const [flavor, image] = [flavorWish(wishes, name), imageWish(wishes, name)]
  if (flavor !== undefined && image !== undefined && flavor !== image)
    throw new BadTopology(
      "Image property 'hw_pci_numa_affinity_policy' is not permitted to override the 'hw:pci_numa_affinity_policy' flavor extra spec.",
    )
  return policyOf(flavor ?? image)
}

/** Whether an address is as a pattern says: `0000:81:00.*`, `*:0a:00.0`. */
function isLike(address: string, pattern: string): boolean {
  const source = pattern.replace(/[^\w*]/g, character => `\\${character}`).replaceAll('*', '[0-9a-f]*')
  // A pattern without a domain is of the first one.
  return new RegExp(`^${pattern.split(':').length < 3 && !pattern.startsWith('*') ? '0000:' : ''}${source}$`, 'i').test(
    address,
  )
}

/** Those of a host's devices that the setting `device_spec` offers. */
export function offeredDevices(found: readonly PciFound[], specs: readonly string[]): PciDevice[] {
  const offers = specs.map(text => fieldsOf('device_spec', text))
  return found.flatMap(device => {
    const { address, vendor_id, product_id, cell } = device
    const spec = offers.find(
      each =>
        (each.vendor_id ?? vendor_id).toLowerCase() === vendor_id &&
        (each.product_id ?? product_id).toLowerCase() === product_id &&
        (each.address === undefined || isLike(address, each.address)),
    )
    if (!spec) return []
    const resource_class = classOf({ ...spec, vendor_id, product_id })
    return { address, resource_class, traits: traitNames(spec.traits), cell }
  })
}
