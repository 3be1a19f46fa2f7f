/** Reads an operator's `policy.yaml`: rule names to checks, overriding the defaults in code. */
import { readFileSync } from 'node:fs'
import type { YAMLMap } from 'yaml'
import { onDemand } from '../on-demand.ts'
import type { CheckSource } from './rule.ts'

export function readPolicyFile(path: string): Record<string, CheckSource> {
  return parsePolicy(readFileSync(path, 'utf8'), path)
}

/** The overrides in `text`. `origin` names it in errors. */
export function parsePolicy(text: string, origin: string): Record<string, CheckSource> {
  const { isScalar, parseDocument } = onDemand.yaml()
  const document = parseDocument<YAMLMap, false>(text)
  const [error] = document.errors
  if (error) throw new Error(`${origin}: not readable as YAML: ${error.message}`, { cause: error })
  const overrides: unknown = document.toJS({ maxAliasCount: 100 })
  if (overrides === null || overrides === undefined) return {}
  if (typeof overrides !== 'object' || Array.isArray(overrides)) {
    throw new Error(`${origin}: expected a map of rule names to checks.`)
  }
  for (const { key, value } of document.contents.items) {
    const name = String(isScalar(key) ? key.value : key)
    // YAML reads an unquoted ! as a tag (on empty text it would allow everyone in place of nobody).
    const tagged = isScalar(value) && value.tag !== undefined
    if (tagged || !isCheckSource((overrides as Record<string, unknown>)[name])) {
      throw new Error(`${origin}: the check of "${name}" must be text. Quote it: "!" for nobody, "@" for anyone.`)
    }
  }
  return overrides as Record<string, CheckSource>
}

function isCheckSource(check: unknown): check is CheckSource {
  if (typeof check === 'string') return true
  const isText = (value: unknown) => typeof value === 'string'
  return Array.isArray(check) && check.every(inner => isText(inner) || (Array.isArray(inner) && inner.every(isText)))
}
