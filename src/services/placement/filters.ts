/** The query parameters that choose providers: amounts of resources, traits, aggregates. Throws 400 in upstream's words. */
import type { Ctx } from '#kernel/context.ts'
import { BadRequest } from '#kernel/errors.ts'
import { isUuid } from '#kernel/schema/validate.ts'
import { valuesOf } from './dialect.ts'

/** `VCPU:2,MEMORY_MB:1024` as amounts by class. */
export function parseResources(text: string): Record<string, number> {
  const refuse = (got: string) =>
    new BadRequest(
      `Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: ${got}.`,
    )
  if (text.trim() === '') throw refuse('empty string')
  const amounts: Record<string, number> = {}
  for (const part of text.split(',')) {
    const [name, amount, ...rest] = part.split(':')
    if (amount === undefined || rest.length > 0) throw refuse(part)
    if (!/^\s*[+-]?\d+\s*$/.test(amount))
      throw new BadRequest(`Requested resource ${name} expected positive integer amount. Got: ${amount}.`)
    if (Number(amount) < 1)
      throw new BadRequest(`Requested resource ${name} requires amount >= 1. Got: ${Number(amount)}.`)
    amounts[name!] = Number(amount)
  }
  return amounts
}

export interface TraitFilter {
  /** Of each inner list at least one. */
  required: string[][]
  forbidden: string[]
}

const badTraits = (message: string) => new BadRequest(`Invalid query string parameters: ${message}`)

/** One `required` value; with `any` false, `in:` means nothing to it. */
export function parseTraits(ctx: Ctx, text: string, { any: allowAny = true } = {}): TraitFilter {
  if (text.startsWith('in:')) {
    const form = "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC'"
    if (!allowAny || !ctx.atLeast('1.39'))
      throw badTraits(`${form} only supported since microversion 1.39. Got: ${text}`)
    const any = [...new Set(text.slice(3).split(',')).values()].map(name => name.trim())
    if (any.includes(''))
      throw badTraits(
        `Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. Got an empty trait in: ${text}`,
      )
    if (any.some(name => name.startsWith('!')))
      throw badTraits(`${form} does not support forbidden traits. Got: ${text}`)
    return { required: [any], forbidden: [] }
  }
  const allowForbidden = ctx.atLeast('1.22')
  const expected = `Expected 'required' parameter value of the form: HW_CPU_X86_VMX,${allowForbidden ? '!' : ''}CUSTOM_MAGIC.`
  const names = text.split(',').map(name => name.trim())
  const forbidden = names.filter(name => name.startsWith('!')).map(name => name.replace(/^!+/, ''))
  if (names.includes('') || forbidden.includes('')) throw badTraits(`${expected} Got an empty trait in: ${text}`)
  if (forbidden.length > 0 && !allowForbidden) throw badTraits(`${expected} Got: ${text}`)
  return { required: names.filter(name => !name.startsWith('!')).map(name => [name]), forbidden }
}

/** All values of a `required` parameter; before 1.39 only the last counts. */
export function traitFilter(ctx: Ctx, parameter: unknown): TraitFilter {
  const values = valuesOf(parameter)
  const parsed = (ctx.atLeast('1.39') ? values : values.slice(-1)).map(text => parseTraits(ctx, text))
  return { required: parsed.flatMap(one => one.required), forbidden: parsed.flatMap(one => one.forbidden) }
}

export interface AggregateFilter {
  /** In at least one aggregate of each inner list. */
  member_of: string[][]
  forbidden_aggregates: string[]
}

/** All values of a `member_of` parameter; `suffix` is that of its group. */
export function aggregateFilter(ctx: Ctx, parameter: unknown, suffix = ''): AggregateFilter {
  const values = valuesOf(parameter)
  if (values.length > 1 && !ctx.atLeast('1.24'))
    throw new BadRequest(`Multiple member_of${suffix} parameters are not supported`)
  const filter: AggregateFilter = { member_of: [], forbidden_aggregates: [] }
  for (const value of values) {
    const [, not, several, rest] = /^(!?)(in:)?(.*)$/s.exec(value)!
    if (rest!.includes(',') && !several)
      throw new BadRequest(
        `Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid microversion. Got: ${value}`,
      )
    const aggregates = several ? rest!.split(',') : [rest!]
    const wrong = aggregates.find(text => !isUuid(text))
    if (wrong !== undefined)
      throw new BadRequest(
        `Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). Got: ${wrong}`,
      )
    if (not && !ctx.atLeast('1.32'))
      throw new BadRequest(`Forbidden member_of${suffix} parameters are not supported in the specified microversion`)
    if (not) filter.forbidden_aggregates.push(...aggregates)
    else filter.member_of.push(aggregates)
  }
  return filter
}
