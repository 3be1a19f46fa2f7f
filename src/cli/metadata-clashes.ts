/** `nephos metadata clashes`: keys of servers and aggregates that differ by nothing but case; with --fix all but one of them get another name. */
import { type AdminApi, adminApi, answered } from './admin-api.ts'

type Items = Record<string, string>

export interface Holder {
  kind: 'server' | 'aggregate'
  id: string
  name: string
  metadata: Items
}

/** What becomes of a key. */
export interface Renaming {
  from: string
  to: string
}

/** Every key that clashes, with the name that it gets: the first of them the lower one, the others the next that is free. */
export function renamings(metadata: Items): Renaming[] {
  const taken = new Set(Object.keys(metadata).map(key => key.toLowerCase()))
  return Object.entries(Object.groupBy(Object.keys(metadata), key => key.toLowerCase())).flatMap(
    ([lower, keys = []]) => {
      if (keys.length < 2) return []
      const [keeper, ...others] = keys.toSorted((a, b) => Number(b === lower) - Number(a === lower) || (a < b ? -1 : 1))
      return [{ from: keeper!, to: lower }, ...others.map(from => ({ from, to: free(lower, taken) }))]
    },
  )
}

function free(lower: string, taken: Set<string>): string {
  for (let number = 2; ; number++) {
    const ending = `_${number}`
    const name = lower.slice(0, 255 - ending.length) + ending
    if (taken.has(name)) continue
    taken.add(name)
    return name
  }
}

/** Exit code 1 when clashes are left. */
export async function metadataClashes({ data, fix }: { data: string; fix: boolean }): Promise<number> {
  const api = await adminApi(data)
  let left = 0
  for await (const holder of holders(api)) {
    const found = renamings(holder.metadata)
    if (found.length === 0) continue
    console.log(`${holder.kind} ${holder.id} (${holder.name})`)
    for (const { from, to } of found)
      console.log(`  ${from} = ${holder.metadata[from]}${from === to ? '' : `   ${fix ? 'now' : 'becomes'} ${to}`}`)
    if (!fix) left++
    else if (!(await rename(api, holder))) left++
  }
  console.log(
    left === 0
      ? 'No keys clash by case.'
      : fix
        ? `${left} were not repaired.`
        : `${left} have such keys. Repair them: nephos metadata clashes --fix`,
  )
  return left === 0 ? 0 : 1
}

const pageSize = 500

/** Page by page: what is renamed was read a moment before. */
async function* holders(api: AdminApi): AsyncGenerator<Holder> {
  for (let marker = ''; ; ) {
    const page = `/servers/detail?all_tenants=1&limit=${pageSize}${marker && `&marker=${marker}`}`
    const { servers } = answered(await api.compute<{ servers: Omit<Holder, 'kind'>[] }>(page))
    for (const one of servers) yield { ...one, kind: 'server' }
    if (servers.length < pageSize) break
    marker = servers.at(-1)!.id
  }
  const { aggregates } = answered(
    await api.compute<{ aggregates: { id: number; name: string; metadata: Items }[] }>('/os-aggregates'),
  )
  for (const one of aggregates) yield { ...one, id: String(one.id), kind: 'aggregate' }
}

const itemsNow = (api: AdminApi, id: string) => api.compute<{ metadata: Items }>(`/servers/${id}/metadata`)

function unchanged(body: unknown): false {
  console.error(`  it was not changed: ${JSON.stringify(body)}`)
  return false
}

/** In one change, so that no value is lost in between; of what a server has now, since its user may have changed it after its page was read. */
export async function rename(api: AdminApi, holder: Holder): Promise<boolean> {
  const { kind, id } = holder
  const { status, body } = kind === 'server' ? await itemsNow(api, id) : { status: 200, body: holder }
  // Deleted meanwhile.
  if (status === 404) return true
  if (status !== 200) return unchanged(body)
  const { metadata } = body
  const found = renamings(metadata)
  if (found.length === 0) return true
  const moved = found.filter(({ from, to }) => from !== to)
  const gone = new Set(moved.map(({ from }) => from))
  const set = Object.fromEntries(moved.map(({ from, to }) => [to, metadata[from]!]))
  const kept = Object.fromEntries(Object.entries(metadata).filter(([key]) => !gone.has(key)))
  const nulls = Object.fromEntries([...gone].map(key => [key, null]))
  const answer =
    kind === 'server'
      ? await api.compute<unknown>(`/servers/${id}/metadata`, {
          method: 'PUT',
          body: { metadata: { ...kept, ...set } },
        })
      : await api.compute<unknown>(`/os-aggregates/${id}/action`, {
          method: 'POST',
          body: { set_metadata: { metadata: { ...nulls, ...set } } },
        })
  return answer.status === 200 || unchanged(answer.body)
}
