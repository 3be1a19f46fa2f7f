/** What faults do: to requests, to work, and to placement. */
import type { Ctx } from '#kernel/context.ts'
import { Fault as HttpFault, OverQuota } from '#kernel/errors.ts'
import type { Around, Call } from '#kernel/http/dispatch.ts'
import { reply } from '#kernel/operation.ts'
import type { SagaProbe } from '#kernel/saga/run.ts'
import type { Service } from '#kernel/service.ts'
import { SchedulerAway } from '../services/compute/servers/placing.ts'
import { overQuota as networkOverQuota } from '../services/network/errors.ts'
import type { PlacementContract } from '../services/placement/contract.ts'
import type { Calls } from './calls.ts'
import type { Fault } from './controls.ts'
import type { Faults } from './faults.ts'

const { STATUS_CODES } = process.getBuiltinModule('node:http')

export interface Effects {
  around: Around
  sagaProbe: SagaProbe
  /** The same services, which meet the faults. */
  faulty(services: readonly Service[]): Service[]
}

export function effectsOf(faults: Faults, calls: Calls): Effects {
  const names = namesByRequest()

  return {
    async around(call, perform) {
      if (call.service.unlisted) return perform()
      const { ctx, operation, request } = call
      const resources = [...Object.values(request.params as Record<string, string>), ...namesIn(request.body)]
      names.remember(ctx.requestId, resources)
      const hits = faults.due(['delay', 'drop', 'answer', 'over-quota'], {
        operation: operation.id,
        method: request.method,
        paths: [request.originalUrl, request.url].map(url => url.split('?')[0]!),
        projects: projectsOf(ctx),
        resources,
      })
      const { project_id, user_id } = ctx.identity
      calls.note(request.raw, {
        operation: operation.id,
        project_id: project_id ?? null,
        user_id: user_id || null,
        faults: hits.map(fault => fault.id),
      })
      for (const fault of hits) if (fault.kind === 'delay') await ctx.clock.sleep(fault.seconds * 1000)
      const [instead] = hits.filter(fault => fault.kind !== 'delay' && !isAfter(fault))
      if (instead) return answerOf(instead, call)
      const answer = await perform()
      if (hits.some(isAfter)) request.raw.socket.destroy()
      return answer
    },
    async sagaProbe({ saga, subject, step, seq, at, ctx, signal }) {
      if (at !== 'before') return
      const hits = faults.due(['delay', 'stuck', 'error'], {
        ...{ work: saga, step, isFirst: seq === 0 },
        projects: projectsOf(ctx),
        resources: [subject, ...names.of(ctx.requestId)],
      })
      for (const fault of hits) await hinder(fault, ctx, signal)
    },
    faulty: services =>
      services.map(one => (one.type === 'placement' ? { ...one, contract: refusing(one.contract!) } : one)),
  }

  async function hinder(fault: Fault, ctx: Ctx, signal: AbortSignal): Promise<void> {
    if (fault.kind === 'delay') await ctx.clock.sleep(fault.seconds * 1000, signal)
    if (fault.kind === 'stuck') await Promise.race([faults.removal(fault.id), abortion(signal)])
    if (fault.kind === 'error') throw new HttpFault(500, 'Fault', fault.message)
  }

  function refusing(contract: object): object {
    const placement = contract as PlacementContract
    const candidates: PlacementContract['candidates'] = async (ctx, asked) => {
      const occasion = { projects: projectsOf(ctx), resources: names.of(ctx.requestId) }
      const [hit] = faults.due(['no-valid-host', 'no-scheduler'], occasion)
      if (hit?.kind === 'no-scheduler') throw new SchedulerAway()
      return hit ? [] : placement.candidates(ctx, asked)
    }
    return { ...placement, candidates }
  }
}

const isAfter = (fault: Fault) => fault.kind === 'drop' && fault.after === true

const projectsOf = ({ identity: { project_id, project_name } }: Ctx) =>
  [project_id, project_name].filter(one => one !== undefined)

/** Names that a body gives: `{"server": {"name": …}}`, and `{"name": …}` as the image API has it. */
function namesIn(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return []
  const holders: { name?: unknown }[] = [body, ...Object.values(body).filter(one => typeof one === 'object' && one)]
  return holders.map(({ name }) => name).filter(name => typeof name === 'string')
}

/** Work goes on under the id of the request that began it, and so under the names that were given there. */
function namesByRequest() {
  const known = new Map<string, string[]>()
  return {
    remember(requestId: string, all: string[]) {
      if (all.length === 0) return
      known.set(requestId, all)
      if (known.size > 10_000) known.delete(known.keys().next().value!)
    },
    of: (requestId: string) => known.get(requestId) ?? [],
  }
}

/** Rejects when the signal is aborted. */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function answerOf(fault: Fault, { service, operation, request }: Call): unknown {
  if (fault.kind === 'answer') {
    const { status, body, message = `Answered by ${fault.id}, as the test asked.` } = fault
    const headers = lowered(fault.headers ?? {})
    if (body === undefined && status >= 400)
      throw new HttpFault(status, STATUS_CODES[status] ?? `Status ${status}`, message, { headers })
    if (body === undefined) return reply(undefined, { status, headers })
    const sent = typeof body === 'string' ? body : JSON.stringify(body)
    return reply(sent, { status, headers: { 'content-type': 'application/json', ...headers } })
  }
  if (fault.kind === 'over-quota') throw overQuota(service.type, operation.id)
  request.raw.socket.destroy()
  throw new HttpFault(499, 'Client Closed Request', `The connection was broken by ${fault.id}, as the test asked.`)
}

const lowered = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** Each service says it in its own way. */
function overQuota(service: string, operation: string): OverQuota {
  if (service === 'network')
    return networkOverQuota([(operation.split('.')[1] ?? 'resource').replaceAll('-', '_').replace(/s$/, '')])
  if (service === 'compute')
    return new OverQuota('Quota exceeded for instances: Requested 1, but already used 10 of 10 instances')
  return new OverQuota('The request exceeds the quota of the project.', { status: service === 'image' ? 413 : 403 })
}
