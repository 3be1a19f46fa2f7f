/** Arithmetic of subnet pools: joining ranges, and finding room between those that are taken. Pure. */
import { type Cidr, type IpVersion, overlaps, parseCidr, type Range } from '../addresses.ts'

const widthOf = (version: IpVersion) => (version === 4 ? 32 : 128)
const inOrder = (ranges: Range[]) => [...ranges].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))

/** Ranges that do not meet, in order. */
export function joined(ranges: Range[]): Range[] {
  const out: Range[] = []
  for (const range of inOrder(ranges)) {
    const last = out.at(-1)
    if (!last || range.first > last.last + 1n)
      out.push({ version: range.version, first: range.first, last: range.last })
    else if (range.last > last.last) last.last = range.last
  }
  return out
}

/** What is left of the ranges without those that are taken. */
export function gaps(ranges: Range[], taken: Range[]): Range[] {
  let left = joined(ranges)
  for (const { first, last } of taken)
    left = left.flatMap(range =>
      [
        { ...range, last: first - 1n < range.last ? first - 1n : range.last },
        { ...range, first: last + 1n > range.first ? last + 1n : range.first },
      ].filter(part => part.first <= part.last),
    )
  return joined(left)
}

/** The largest subnets that make up a range. */
export function cidrsOf(range: Range): Cidr[] {
  const width = widthOf(range.version)
  const out: Cidr[] = []
  for (let first = range.first; first <= range.last; ) {
    let size = 1n
    let prefix = width
    while (prefix > 0 && first % (size * 2n) === 0n && first + size * 2n - 1n <= range.last) {
      size *= 2n
      prefix--
    }
    out.push({ version: range.version, prefix, first, last: first + size - 1n })
    first += size
  }
  return out
}

/** The first free subnet of this length; undefined when there is no room. */
export function freeSubnet(ranges: Range[], taken: Range[], prefix: number): Cidr | undefined {
  const version = ranges[0]!.version
  const size = 1n << BigInt(widthOf(version) - prefix)
  for (const gap of gaps(ranges, taken)) {
    const first = ((gap.first + size - 1n) / size) * size
    if (first + size - 1n <= gap.last) return { version, prefix, first, last: first + size - 1n }
  }
  return undefined
}

export const within = (ranges: Range[], inner: Range) =>
  joined(ranges).some(range => range.first <= inner.first && inner.last <= range.last)

export const rangesOf = (prefixes: readonly string[]): Cidr[] => prefixes.map(prefix => parseCidr(prefix)!)

export const meetsAny = (range: Range, others: Range[]) => others.some(other => overlaps(range, other))
