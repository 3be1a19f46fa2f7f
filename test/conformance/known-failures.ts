/** The tests that are known to fail, each with a reason. The list may only shrink. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const knownFailuresFile = join(import.meta.dirname, 'known-failures.txt')

/** Reasons by the tests' full names. Lines are `name: reason`; a # starts a comment. Throws for a line without a reason. */
export function parseKnownFailures(text: string): Map<string, string> {
  const known = new Map<string, string>()
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, name, reason] = /^(\S+): +(\S.*)$/.exec(line) ?? []
    if (!name || !reason) throw new Error(`known-failures.txt, line ${index + 1}: write 'test: reason'`)
    if (known.has(name)) throw new Error(`known-failures.txt, line ${index + 1}: ${name} is there already`)
    known.set(name, reason)
  }
  return known
}

export const knownFailures = () => parseKnownFailures(readFileSync(knownFailuresFile, 'utf8'))

export interface Verdict {
  /** Failures that are not on the list. */
  unexpected: string[]
  /** On the list, but they pass now, or are skipped: they must go from it. */
  mended: string[]
}

/** Judges a run. Tests on the list that did not run say nothing. */
export function judge(results: Iterable<{ test: string; outcome: string }>, known: Map<string, string>): Verdict {
  const verdict: Verdict = { unexpected: [], mended: [] }
  for (const { test, outcome } of results) {
    if (outcome === 'failed' && !known.has(test)) verdict.unexpected.push(test)
    if (outcome !== 'failed' && known.has(test)) verdict.mended.push(test)
  }
  return verdict
}
