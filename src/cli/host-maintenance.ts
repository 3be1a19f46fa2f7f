/** `nephos host drain`, `suspend`, `resume` and `cancel`: begins the maintenance of a host and tells what becomes of each server. */
import { type Clock, keepAlive, systemClock } from '#kernel/clock.ts'
import { messageOf } from '#kernel/errors.ts'
import { type AdminApi, adminApi } from './admin-api.ts'

interface Server {
  server_id: string
  state: string
  act: string | null
  to_host: string | null
  reason: string | null
}

export interface Maintenance {
  id: string
  kind: string
  host: string
  state: string
  problem: string | null
  counts: Record<string, number>
  servers: Server[]
}

interface Answer {
  maintenance: Maintenance
  [fault: string]: unknown
}

export interface HostOptions {
  data: string
  host: string
  verb: 'drain' | 'suspend' | 'resume' | 'cancel'
  live: 'auto' | 'yes' | 'no'
  together: number | undefined
}

const over = ['done', 'incomplete', 'cancelled', 'failed']

/** What is new since the last look, line by line. */
export function newLines({ servers }: Maintenance, told: Map<string, string>): string[] {
  const lines: string[] = []
  for (const { server_id, state, act, to_host, reason } of servers) {
    const words = [
      state,
      act,
      state === 'done' && act && to_host ? `now on ${to_host}` : '',
      reason ? `(${reason})` : '',
    ]
    const line = words.filter(Boolean).join(' ')
    if (told.get(server_id) === line) continue
    told.set(server_id, line)
    if (line !== 'waiting') lines.push(`${server_id}  ${line}`)
  }
  return lines
}

/** Exit code 1 when something stayed that was to be done. */
export async function hostMaintenance({ data, host, verb, live, together }: HostOptions): Promise<number> {
  using _alive = keepAlive()
  const api = await adminApi(data)
  if (verb === 'cancel') return await cancel(api, host)
  const maintenance = { kind: verb, host, live, ...(together !== undefined && { together }) }
  const begun = await api.compute<Answer>('/os-maintenances', { method: 'POST', body: { maintenance } })
  if (begun.status !== 202) return refused(begun)
  const { id, servers } = begun.body.maintenance
  console.log(`maintenance ${id}: ${verb} ${host}, ${servers.length} servers. It goes on when this command ends.`)
  return await follow(api, id)
}

/** How long a cloud may not answer, as one that is restarted does. */
const patienceMs = 300_000

/** Tells what becomes of a maintenance until it is over; exit code 1 when something stayed. */
export async function follow(
  api: Pick<AdminApi, 'compute'>,
  id: string,
  { clock = systemClock(), say = console.log }: { clock?: Clock; say?: (line: string) => void } = {},
): Promise<number> {
  const told = new Map<string, string>()
  for (let heard = clock.monotonic(); ; await clock.sleep(1000)) {
    const shown = await api.compute<Answer>(`/os-maintenances/${id}`).catch(error => messageOf(error.cause ?? error))
    if (typeof shown === 'string' || shown.status >= 500) {
      const silentMs = clock.monotonic() - heard
      const why = typeof shown === 'string' ? shown : `it answered ${shown.status}`
      if (told.get('cloud') !== why) say(`the cloud does not answer (${why}): asking again`)
      told.set('cloud', why)
      if (silentMs < patienceMs) continue
      say(`nothing was heard for ${patienceMs / 60_000} minutes; maintenance ${id} goes on when the cloud does`)
      return 1
    }
    heard = clock.monotonic()
    told.delete('cloud')
    if (shown.status !== 200) return refused(shown)
    const { maintenance } = shown.body
    for (const line of newLines(maintenance, told)) say(line)
    if (over.includes(maintenance.state)) {
      say([maintenance.state, maintenance.problem].filter(Boolean).join(': '))
      return maintenance.state === 'done' ? 0 : 1
    }
  }
}

async function cancel(api: AdminApi, host: string): Promise<number> {
  const path = `/os-maintenances?host=${encodeURIComponent(host)}`
  const listed = await api.compute<{ maintenances?: Maintenance[] }>(path)
  const going = listed.body.maintenances?.find(one => !over.includes(one.state))
  if (!going) {
    console.error(`no maintenance goes on with host ${host}`)
    return 1
  }
  const answer = await api.compute<Answer>(`/os-maintenances/${going.id}`, { method: 'DELETE' })
  if (answer.status !== 202) return refused(answer)
  console.log(`maintenance ${going.id} begins nothing more; what goes on comes to its end`)
  return 0
}

function refused({ status, body }: { status: number; body: Answer }): number {
  const [fault] = Object.values(body ?? {}) as { message?: string }[]
  console.error(fault?.message ?? `The cloud answered ${status}.`)
  return 1
}
