/** The faults that a test has asked for: which are due, and how often they have hit. */
import { BadRequest, NotFound } from '#kernel/errors.ts'
import { didYouMean } from '#kernel/near-miss.ts'
import type { Fault, FaultPlace, NewFault } from './controls.ts'
import { fits } from './pattern.ts'

/** One request, or one step of work. */
export interface Occasion {
  operation?: string
  method?: string
  /** As it was sent, and as it is read. */
  paths?: string[]
  work?: string
  step?: string
  /** The first of its work. */
  isFirst?: boolean
  /** Id and name of the project of who asked. */
  projects: string[]
  /** Ids and names of what it is about. */
  resources: string[]
}

export interface Faults {
  /** Those of some kinds that hit on this occasion; each is counted. */
  due(kinds: readonly Fault['kind'][], occasion: Occasion): Fault[]
  add(fault: NewFault): Fault
  list(): Fault[]
  show(id: string): Fault
  remove(id: string): void
  clear(): void
  /** Resolves once the fault is no more. */
  removal(id: string): Promise<void>
}

interface Held {
  fault: Fault
  gone: PromiseWithResolvers<void>
}

/** Bounded, as all input is. */
const mostFaults = 1_000

export function faultsAmong(operations: readonly string[], works: readonly string[]): Faults {
  const all = new Map<string, Held>()
  let made = 0

  function held(id: string): Held {
    const found = all.get(id)
    if (!found) throw new NotFound(`There is no fault ${id}.`)
    return found
  }
  function remove(id: string): void {
    held(id).gone.resolve()
    all.delete(id)
  }

  return {
    due(kinds, occasion) {
      const hit: Fault[] = []
      for (const { fault } of all.values()) {
        if (!kinds.includes(fault.kind) || !isAbout(fault, occasion)) continue
        fault.seen++
        const { call = 1, times = 1 } = fault
        if (fault.seen < call || (times !== 'every' && fault.hits >= times)) continue
        fault.hits++
        hit.push({ ...fault })
      }
      return hit
    },
    add(asked) {
      requireSense(asked)
      requireKnown('operation', asked.operation, operations)
      requireKnown('work', asked.work, works)
      if (all.size >= mostFaults) throw new BadRequest(`There are ${mostFaults} faults already: remove some.`)
      const fault: Fault = { ...asked, id: `fault-${++made}`, seen: 0, hits: 0 }
      all.set(fault.id, { fault, gone: Promise.withResolvers() })
      return { ...fault }
    },
    list: () => [...all.values()].map(({ fault }) => ({ ...fault })),
    show: id => ({ ...held(id).fault }),
    remove,
    clear() {
      for (const id of all.keys()) remove(id)
    },
    removal: async id => all.get(id)?.gone.promise,
  }
}

const some = (pattern: string | undefined, names: readonly string[] = []) =>
  pattern === undefined || names.some(name => fits(pattern, name))

function isAbout(place: FaultPlace, occasion: Occasion): boolean {
  const { operation = '', method = '', work = '', step = '' } = occasion
  return (
    fits(place.operation, operation) &&
    fits(place.method?.toUpperCase(), method) &&
    some(place.path, occasion.paths) &&
    fits(place.work, work) &&
    (place.step === undefined ? occasion.isFirst !== false : fits(place.step, step)) &&
    some(place.project, occasion.projects) &&
    some(place.resource, occasion.resources)
  )
}

/** What each kind is about. */
const about: Record<Fault['kind'], readonly ('requests' | 'work' | 'placement')[]> = {
  answer: ['requests'],
  'over-quota': ['requests'],
  drop: ['requests'],
  delay: ['requests', 'work'],
  stuck: ['work'],
  error: ['work'],
  'no-valid-host': ['placement'],
  'no-scheduler': ['placement'],
}

/** True for faults of work; all others are of requests, or of placement. */
export const isOfWork = (fault: FaultPlace) => fault.work !== undefined

function requireSense(fault: NewFault): void {
  const { kind, operation, method, path, work, step } = fault
  const ofRequests = [operation, method, path].some(given => given !== undefined)
  const ofWork = [work, step].some(given => given !== undefined)
  const wrong = (why: string) => new BadRequest(`A fault of kind '${kind}' ${why}`)
  if (ofRequests && !about[kind].includes('requests'))
    throw wrong('is not about requests: leave operation, method and path out.')
  if (ofWork && !about[kind].includes('work')) throw wrong('is not about work: leave work and step out.')
  if (ofRequests && ofWork) throw wrong('is about requests or about work, not both.')
  if (work === undefined && (step !== undefined || !about[kind].some(one => one !== 'work')))
    throw wrong("needs to know which work: work: 'compute.servers.create', say, or '*'.")
  if (fault.kind === 'answer') requireOwnHeaders(fault.headers)
  if (kind === 'answer' && fault.status === undefined) throw wrong('needs a status.')
  if (kind === 'delay' && fault.seconds === undefined) throw wrong('needs seconds.')
  if (kind === 'error' && fault.message === undefined) throw wrong('needs a message.')
}

/** How an answer is framed is not the test's: one that contradicts its body would leave the client waiting. */
const framing = ['connection', 'content-length', 'keep-alive', 'trailer', 'transfer-encoding', 'upgrade']

function requireOwnHeaders(headers: Record<string, string> = {}): void {
  const found = Object.keys(headers).find(name => framing.includes(name.toLowerCase()))
  if (found !== undefined) throw new BadRequest(`The header ${found} is the server's own: leave it out.`)
}

function requireKnown(what: string, pattern: string | undefined, names: readonly string[]): void {
  if (pattern === undefined || names.some(name => fits(pattern, name))) return
  throw new BadRequest(`No ${what} is called '${pattern}'.${didYouMean(pattern, names)}`)
}
