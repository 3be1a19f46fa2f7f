/** Lists of CPUs as people write them: `0-3,^2,8`. */

/** Far above what any machine has: a list must not be able to ask for millions. */
const largest = 8191

/** Ascending, each once. Undefined for text that is no such list. */
export function cpuSet(text: string): number[] | undefined {
  const chosen = new Set<number>()
  const excluded = new Set<number>()
  for (const part of text.split(',').map(each => each.trim())) {
    if (part === '') continue
    const [, not, first, last = first] = /^(\^?)(\d+)(?:-(\d+))?$/.exec(part) ?? []
    if (first === undefined || Number(last) > largest || Number(first) > Number(last)) return undefined
    for (let cpu = Number(first); cpu <= Number(last); cpu++) (not ? excluded : chosen).add(cpu)
  }
  return [...chosen.difference(excluded)].sort((a, b) => a - b)
}

/** `0-3,8`; empty for none. */
export function cpuList(cpus: readonly number[]): string {
  const runs: [first: number, last: number][] = []
  for (const cpu of [...new Set(cpus)].sort((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run && run[1] === cpu - 1) run[1] = cpu
    else runs.push([cpu, cpu])
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}

/** Numbers from 0 up, `count` of them. */
export const firstCpus = (count: number): number[] => Array.from({ length: count }, (_, cpu) => cpu)
