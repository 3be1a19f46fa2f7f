/** `nephos status`: is a cloud running on this data directory, and what is in it. */
import { readRunFile } from './data-dir.ts'

interface Status {
  running: boolean
  url?: string
  pid?: number
  started_at?: string
  simulated?: boolean
  healthy?: boolean
  /** What each part says of itself: `ok`, or what is wrong. */
  health?: Record<string, string>
}

async function read(data: string): Promise<Status> {
  const run = readRunFile(data)
  if (!run) return { running: false }
  try {
    const answer = await fetch(`${run.url}/healthcheck`, { signal: AbortSignal.timeout(3000) })
    const { status, parts } = (await answer.json()) as { status: string; parts: Record<string, string> }
    return { running: true, ...run, healthy: status === 'ok', health: parts }
  } catch {
    return { running: false, ...run }
  }
}

/** Exit code 0 when it runs and is healthy, 1 otherwise. */
export async function status({ data, json }: { data: string; json: boolean }): Promise<number> {
  const found = await read(data)
  if (json) console.log(JSON.stringify(found))
  else if (!found.running) console.log(`No cloud runs on ${data}. Start one with: nephos up --data ${data}`)
  else {
    console.log(
      `A ${found.simulated ? 'simulated ' : ''}cloud runs at ${found.url} (process ${found.pid}, since ${found.started_at}).`,
    )
    for (const [part, state] of Object.entries(found.health ?? {})) console.log(`  ${part.padEnd(12)} ${state}`)
  }
  return found.healthy ? 0 : 1
}
