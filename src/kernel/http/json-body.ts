/** Reads the JSON of a body, and refuses what is harmless in no program: endless depth, NULs, `__proto__`. */
import { BadRequest } from '../errors.ts'

const maxDepth = 100
const [quote, backslash] = [34, 92]
const opening = new Set([91, 123])
const closing = new Set([93, 125])

/** Looked at before parsing: whatever walks a value later may do so by recursion. */
function isTooDeep(text: string): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inString) {
      if (code === backslash) i++
      else if (code === quote) inString = false
    } else if (code === quote) inString = true
    else if (opening.has(code)) {
      if (++depth > maxDepth) return true
    } else if (closing.has(code)) depth--
  }
  return false
}

const nul = new BadRequest('Malformed request body: text must not contain the character NUL.')

/** `__proto__` must not reach code that copies objects, nor a NUL the database, where not every engine can keep it. */
function harmless(key: string, value: unknown): unknown {
  if (key.includes('\0') || (typeof value === 'string' && value.includes('\0'))) throw nul
  return key === '__proto__' ? undefined : value
}

export function readJson(text: string): unknown {
  if (isTooDeep(text)) throw new BadRequest(`Malformed request body: nested more than ${maxDepth} deep.`)
  try {
    return JSON.parse(text, harmless)
  } catch (error) {
    throw error === nul
      ? nul
      : new BadRequest('Malformed request body: it is not valid JSON.', { extra: { malformed: true } })
  }
}
