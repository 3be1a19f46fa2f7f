/** What a flavor and an image say of a guest's machine, under the names that they share: `hw:numa_nodes` and `hw_numa_nodes`. */

/** Where both speak of the guest's CPUs and memory. */
export interface Wishes {
  vcpus: number
  ram_mb: number
  extra_specs: Readonly<Record<string, string>>
  image_properties: Readonly<Record<string, string>>
}

/** The two together make no machine. The message is upstream's. */
export class BadTopology extends Error {
  override readonly name = 'BadTopology'
}

export const flavorWish = ({ extra_specs }: Wishes, name: string): string | undefined =>
  extra_specs[`hw:${name}`] || undefined

export const imageWish = ({ image_properties }: Wishes, name: string): string | undefined =>
  image_properties[`hw_${name}`] || undefined

export const isYes = (text: string | undefined): boolean =>
  text !== undefined && /^(1|t|true|on|y|yes)$/i.test(text.trim())
