/** Why a bundle has no place: which of its limits stands in the way, and what could be had instead. */
import { type BundleLink, type BundleOptions, type BundleServer, chooseBundle } from './bundle.ts'
import type { Network } from './links.ts'

export type Lack =
  /** Even without links there is no room for all. */
  | { limit: 'room' }
  /** Within so many hops there would be a place. */
  | { limit: 'hops'; best: number }
  /** Each link could have so much at the most, in Mbit/s. */
  | { limit: 'bandwidth'; best: number }
  /** All looks were taken before that was known. */
  | { limit: 'tries' }

/** Its searches have the looks of `options` together. */
export async function lackOf(
  servers: readonly BundleServer[],
  links: readonly BundleLink[],
  network: Network,
  options: BundleOptions,
): Promise<Lack> {
  let cutShort = false
  const would = async (change: (link: BundleLink) => Partial<BundleLink>) => {
    if (cutShort) return false
    const eased = links.map(link => ({ ...link, ...change(link) }))
    const found = await chooseBundle(servers, eased, network, options)
    if (found === 'unknown') cutShort = true
    return typeof found === 'object'
  }
  const tries = { limit: 'tries' } as const
  if (await would(() => ({ bandwidth: 0 }))) {
    const best = await mostThat(Math.max(...links.map(({ bandwidth }) => bandwidth)), most =>
      would(({ bandwidth }) => ({ bandwidth: Math.min(bandwidth, most) })),
    )
    return cutShort ? tries : { limit: 'bandwidth', best }
  }
  for (let best = 2; best <= 2 * (network.levels.length + 1); best += 2) {
    const farther = ({ max_hops }: BundleLink) => ({ max_hops: max_hops === null ? null : Math.max(max_hops, best) })
    if (await would(link => ({ bandwidth: 0, ...farther(link) }))) return cutShort ? tries : { limit: 'hops', best }
  }
  return cutShort ? tries : { limit: 'room' }
}

/** The largest number below `limit` for which it is true; it is for 0. */
async function mostThat(limit: number, holds: (most: number) => Promise<boolean>): Promise<number> {
  let [yes, no] = [0, limit]
  while (no - yes > 1) {
    const middle = Math.floor((yes + no) / 2)
    if (await holds(middle)) yes = middle
    else no = middle
  }
  return yes
}
