/** What projects pay for hosts that they have for themselves: all of them, used or not. */
import type { DedicatedHostRow } from '../dedicated-hosts/store.ts'
import { naiveTime } from '../dialect.ts'

export function usageOfDedicated(row: DedicatedHostRow, { start, stop }: { start: number; stop: number }) {
  const { host, project_id, vcpus, memory_mb, local_gb, started_at, ended_at } = row
  const until = Math.min(stop, ended_at === null ? stop : Date.parse(ended_at))
  return {
    ...{ host, tenant_id: project_id },
    hours: Math.max(0, until - Math.max(Date.parse(started_at), start)) / 3_600_000,
    ...{ vcpus, memory_mb, local_gb },
    started_at: naiveTime(started_at),
    ended_at: ended_at === null ? null : naiveTime(ended_at),
  }
}

export type DedicatedUsage = ReturnType<typeof usageOfDedicated>

/** A charge item of its own, where there is any: a project without such hosts has the answer that it always had. */
export function hostCharges(usages: DedicatedUsage[], detailed: boolean) {
  if (usages.length === 0) return {}
  const total_host_hours = usages.reduce((total, usage) => total + usage.hours, 0)
  return { total_host_hours, ...(detailed && { host_usages: usages }) }
}
