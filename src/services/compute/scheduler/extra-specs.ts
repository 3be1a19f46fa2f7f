/** The little language of extra specs: `>= 5`, `s== text`, `<in> part`, `<or> a <or> b`, or the value itself. */

export type CapabilityValue = string | number | undefined

const numeric: Record<string, (had: number, wanted: number) => boolean> = {
  '=': (had, wanted) => had >= wanted,
  '==': (had, wanted) => had === wanted,
  '!=': (had, wanted) => had !== wanted,
  '>=': (had, wanted) => had >= wanted,
  '<=': (had, wanted) => had <= wanted,
  '>': (had, wanted) => had > wanted,
  '<': (had, wanted) => had < wanted,
}

const textual: Record<string, (had: string, wanted: string) => boolean> = {
  's==': (had, wanted) => had === wanted,
  's!=': (had, wanted) => had !== wanted,
  's>=': (had, wanted) => had >= wanted,
  's>': (had, wanted) => had > wanted,
  's<=': (had, wanted) => had <= wanted,
  's<': (had, wanted) => had < wanted,
  '<in>': (had, wanted) => had.includes(wanted),
}

/** Whether what a host has is as an extra spec asks. */
export function satisfies(had: CapabilityValue, spec: string): boolean {
  if (had === undefined) return false
  const words = spec.trim().split(/\s+/)
  const [operator, wanted] = words
  if (operator === '<or>') return words.filter((_, index) => index % 2 === 1).includes(String(had))
  if (operator !== undefined && wanted !== undefined) {
    const asNumber = numeric[operator]
    if (asNumber) return asNumber(Number(had), Number(wanted))
    const asText = textual[operator]
    if (asText) return asText(String(had), words.slice(1).join(' '))
  }
  return String(had) === spec
}
