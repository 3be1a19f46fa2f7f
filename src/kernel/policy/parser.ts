/** The oslo.policy language: text (or the old list form) to a check tree. */
import type { Check, Template } from './check.ts'
import type { CheckSource } from './rule.ts'

const maxLength = 16_384
const maxDepth = 64

/** A check that cannot be read. The message names the rule and the place. */
export class PolicySyntaxError extends Error {
  readonly rule: string
  /** 1-based column in the text. */
  readonly column: number
  constructor(rule: string, column: number, problem: string) {
    super(`Policy rule "${rule}", column ${column}: ${problem}`)
    this.name = 'PolicySyntaxError'
    this.rule = rule
    this.column = column
  }
}

export function parseCheck(rule: string, source: CheckSource): Check {
  return typeof source === 'string' ? parseText(rule, source) : parseList(rule, source)
}

/** The outer list is "or", an inner list "and". An empty list allows everyone, as upstream. */
function parseList(rule: string, source: readonly (string | readonly string[])[]): Check {
  if (source.length === 0) return { type: 'always' }
  const alternatives = source
    .filter(inner => inner.length > 0)
    .map(inner =>
      joined(
        'and',
        (typeof inner === 'string' ? [inner] : inner).map(text => parseOne(rule, text, 1)),
      ),
    )
  return alternatives.length === 0 ? { type: 'never' } : joined('or', alternatives)
}

function joined(type: 'and' | 'or', checks: Check[]): Check {
  return checks.length === 1 ? checks[0]! : { type, checks }
}

interface Token {
  type: '(' | ')' | 'and' | 'or' | 'not' | 'check' | 'end'
  text: string
  column: number
}

const words = /\(*(?:'[^']*'|"[^"]*")\S*|\S+/g

/** Words stand apart by white space; brackets may touch a word. Only a quoted constant at the left may hold spaces. */
function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  for (const found of text.matchAll(words)) {
    let word = found[0]
    let column = found.index + 1
    for (; word.startsWith('('); word = word.slice(1)) tokens.push({ type: '(', text: '(', column: column++ })
    const inner = word.replace(/\)+$/, '')
    if (inner !== '') {
      const keyword = inner.toLowerCase()
      const type = keyword === 'and' || keyword === 'or' || keyword === 'not' ? keyword : 'check'
      tokens.push({ type, text: inner, column })
    }
    for (let at = inner.length; at < word.length; at++) tokens.push({ type: ')', text: ')', column: column + at })
  }
  tokens.push({ type: 'end', text: 'the end', column: text.length + 1 })
  return tokens
}

function parseText(rule: string, text: string): Check {
  if (text.length > maxLength) throw new PolicySyntaxError(rule, maxLength, `longer than ${maxLength} characters`)
  if (text.trim() === '') return { type: 'always' }
  const tokens = tokenize(text)
  let at = 0

  function fail(expected: string): never {
    const { column, text: word } = tokens[at]!
    throw new PolicySyntaxError(rule, column, `expected ${expected}, found ${word}`)
  }

  function sequence(type: 'and' | 'or', operand: (depth: number) => Check, depth: number): Check {
    const checks = [operand(depth)]
    for (; tokens[at]!.type === type; ) {
      at++
      checks.push(operand(depth))
    }
    return joined(type, checks)
  }
  const orExpression = (depth: number): Check => sequence('or', andExpression, depth)
  const andExpression = (depth: number): Check => sequence('and', operand, depth)

  function operand(depth: number): Check {
    const token = tokens[at]!
    if (depth > maxDepth) throw new PolicySyntaxError(rule, token.column, `nested deeper than ${maxDepth} levels`)
    if (token.type === 'check') {
      at++
      return parseOne(rule, token.text, token.column)
    }
    if (token.type === 'not') {
      at++
      return { type: 'not', check: operand(depth + 1) }
    }
    if (token.type !== '(') fail('a check such as role:admin')
    at++
    const inner = orExpression(depth + 1)
    if (tokens[at]!.type !== ')') fail('"and", "or" or a closing bracket')
    at++
    return inner
  }

  const check = orExpression(0)
  if (tokens[at]!.type !== 'end') fail('"and", "or" or the end')
  return check
}

/** One check without operators: `kind:match`, `@` or `!`. */
function parseOne(rule: string, text: string, column: number): Check {
  if (text === '@') return { type: 'always' }
  if (text === '!') return { type: 'never' }
  const quoted = /^('[^']*'|"[^"]*"):/.exec(text)
  const colon = quoted ? quoted[1]!.length : text.indexOf(':')
  if (colon < 1) throw new PolicySyntaxError(rule, column, `expected kind:match, found ${text}`)
  const kind = text.slice(0, colon)
  const match = text.slice(colon + 1)
  if (kind === 'http' || kind === 'https') {
    throw new PolicySyntaxError(
      rule,
      column,
      `${kind}: checks (asking a web server) are not supported: use local checks`,
    )
  }
  if (kind === 'rule') {
    if (match === '') throw new PolicySyntaxError(rule, column, 'expected the name of a rule after rule:')
    return { type: 'rule', name: match }
  }
  if (kind === 'field') return parseField(rule, match, column)
  const template = parseTemplate(rule, match, column + colon + 1)
  if (kind === 'role') return { type: 'role', match: template }
  if (quoted) return { type: 'literal', value: kind.slice(1, -1), match: template }
  if (/^(None|True|False|-?\d+(\.\d+)?)$/.test(kind)) return { type: 'literal', value: kind, match: template }
  return { type: 'credential', path: kind.split('.'), match: template }
}

/** `field:networks:router:external=True`: the first word is the resource, the rest up to `=` the attribute. */
function parseField(rule: string, match: string, column: number): Check {
  const parts = /^[^:=]+:([^=]+)=(.*)$/.exec(match)
  if (!parts) throw new PolicySyntaxError(rule, column, 'expected field:resource:attribute=value')
  const name = parts[1]!
  const value = parts[2]!
  if (!value.startsWith('~')) return { type: 'field', name, value }
  try {
    return { type: 'field', name, value, pattern: new RegExp(`^(?:${value.slice(1)})`) }
  } catch {
    throw new PolicySyntaxError(rule, column, `${value.slice(1)} is not a regular expression`)
  }
}

/** Python's `%(name)s` marks; `%%` is a percent sign. */
function parseTemplate(rule: string, text: string, column: number): Template {
  const parts: (string | { name: string })[] = []
  let constant = ''
  for (let at = 0; at < text.length; ) {
    if (text[at] !== '%') {
      constant += text[at++]
    } else if (text[at + 1] === '%') {
      constant += '%'
      at += 2
    } else {
      const mark = /^%\(([^()]+)\)s/.exec(text.slice(at))
      if (!mark) throw new PolicySyntaxError(rule, column + at, 'expected %(name)s after the percent sign')
      if (constant !== '') parts.push(constant)
      constant = ''
      parts.push({ name: mark[1]! })
      at += mark[0].length
    }
  }
  if (constant !== '') parts.push(constant)
  return parts
}
