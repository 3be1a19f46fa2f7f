/** `nephos server why`: why a server is where it is, or nowhere: what it asked for, what each host had, what was done to it. */
import type { Explanation } from '../services/compute/servers/explanation.ts'
import { adminApi } from './admin-api.ts'

interface ServerView {
  id: string
  name: string
  status: string
  'OS-EXT-SRV-ATTR:host': string | null
  fault?: { message: string }
}

export interface Why {
  server: ServerView
  /** Of the last time that no host could be found; absent when one always was. */
  explanation?: Explanation & { at: string }
  actions: { action: string; request_id: string; start_time: string; message: string | null }[]
}

/** What there is to say, line by line. */
export function whyLines({ server, explanation, actions }: Why): string[] {
  const host = server['OS-EXT-SRV-ATTR:host']
  const lines = [`${server.name} (${server.id}) is ${server.status}${host ? ` on ${host}` : ' on no host'}.`]
  if (server.fault) lines.push(`  ${server.fault.message}`)
  if (explanation) lines.push('', ...refusals(explanation))
  if (actions.length > 0) lines.push('', 'What was done to it, the latest first (nephos trace REQUEST_ID tells more):')
  for (const { start_time, action, request_id, message } of actions)
    lines.push(`  ${start_time.slice(0, 19)}  ${action.padEnd(16)} ${request_id}${message ? `  ${message}` : ''}`)
  return lines
}

function refusals({ at, asked, hosts }: Explanation & { at: string }): string[] {
  const amounts = Object.entries(asked.resources).map(([name, amount]) => `${amount} ${name}`)
  const wishes = [
    ...asked.required_traits.map(trait => `trait ${trait}`),
    ...asked.forbidden_traits.map(trait => `no trait ${trait}`),
    ...(asked.availability_zone ? [`zone ${asked.availability_zone}`] : []),
    ...(asked.host ? [`host ${asked.host}`] : []),
    ...Object.entries(asked.scheduler_hints).map(([hint, values]) => `${hint} ${values.join(' ')}`),
  ]
  const width = Math.max(0, ...hosts.map(({ host }) => host.length))
  return [
    `At ${at} no host was found for flavor ${asked.flavor}: ${[...amounts, ...wishes].join(', ')}.`,
    ...(hosts.length === 0 ? ['  There was no host at all.'] : []),
    ...hosts.map(
      ({ host, rule, asked: wanted, had }) => `  ${host.padEnd(width)}  ${rule}: asked ${wanted}, had ${had}`,
    ),
  ]
}

/** Exit code 1 when there is no such server. */
export async function serverWhy({ data, server: id }: { data: string; server: string }): Promise<number> {
  const api = await adminApi(data)
  const path = `/servers/${encodeURIComponent(id)}`
  const shown = await api.compute<{ server: ServerView; itemNotFound?: { message: string } }>(path)
  if (shown.status !== 200) {
    console.error(shown.body.itemNotFound?.message ?? `The cloud answered ${shown.status}.`)
    return 1
  }
  const explained = await api.compute<{ explanation: Explanation & { at: string } }>(`${path}/nephos-explain`)
  const done = await api.compute<{ instanceActions?: Why['actions'] }>(`${path}/os-instance-actions`)
  const lines = whyLines({
    server: shown.body.server,
    ...(explained.status === 200 && { explanation: explained.body.explanation }),
    actions: done.body.instanceActions ?? [],
  })
  for (const line of lines) console.log(line)
  return 0
}
