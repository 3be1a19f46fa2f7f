/** What is too long. Pure: lines a file in, a judgement out. */

export const warnOver = 300
export const failOver = 500

export interface Judgement {
  warnings: string[]
  failures: string[]
  /** The exceptions as they should be: gone or lower where files have shrunk. */
  shrunk: Record<string, number>
}

/** `exceptions` gives the lines that a file over the limit may have: as many as it has, so that it never grows again. */
export function judgeSizes(sizes: Map<string, number>, exceptions: Record<string, number>): Judgement {
  const judgement: Judgement = { warnings: [], failures: [], shrunk: {} }
  for (const [path, lines] of sizes) {
    const allowed = exceptions[path] ?? failOver
    if (lines > allowed) {
      judgement.failures.push(`${path}: ${lines} lines, at most ${allowed}: split it by what its parts are about`)
    } else if (lines > warnOver && !(path in exceptions)) {
      judgement.warnings.push(`${path}: ${lines} lines, aim for ${warnOver}`)
    }
  }
  for (const [path, allowed] of Object.entries(exceptions)) {
    const lines = sizes.get(path) ?? 0
    if (lines > failOver) judgement.shrunk[path] = Math.min(lines, allowed)
    if (lines < allowed) {
      judgement.failures.push(
        `${path}: ${lines} lines now, the list says ${allowed}: run node tools/check-sizes.ts --shrink`,
      )
    }
  }
  return judgement
}
