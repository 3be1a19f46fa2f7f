/** API versions `major.minor` (microversions), compared as numbers. */

/** A version as text, such as `2.77`. */
export type Version = `${number}.${number}`

/** The version as a number that orders as versions do: `2.77` is 20077. */
export function ordinal(version: string): number {
  const dot = version.indexOf('.')
  return Number(version.slice(0, dot)) * 10_000 + Number(version.slice(dot + 1))
}

/** The version of `^\d+\.\d+$` without leading zeros, or undefined when the text is anything else. `0.5` is one only where that is said. */
export function parseVersion(value: string, zeroMajor = false): Version | undefined {
  if (!/^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$/.test(value)) return undefined
  return zeroMajor || !value.startsWith('0') ? (value as Version) : undefined
}
