/** Brings a server's agent up to the build that an admin named for guests of its kind, and keeps what it then says that it is. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { messageOf } from '#kernel/errors.ts'
import { type Outside, openUrl } from '#kernel/http/outside.ts'
import { type AgentBuild, digests, isFor, isOlder } from '../../agent-builds/agent-build.ts'
import { agentBuilds } from '../../agent-builds/store.ts'
import { hosts } from '../../hosts/store.ts'
import { isRefusal } from '../software/inside.ts'
import type { WholeInside } from '../software/tools/tool.ts'
import { existingServer } from '../steps.ts'
import { kindOf, osOf } from './new-guest.ts'
import { keepGuestAgent } from './store.ts'
import { type Updated, updateAgent } from './update-agent.ts'

const maxBytes = 64 * 1024 ** 2
const fetchMs = 5 * 60_000
/** The admin has chosen the address: it may be anywhere. Where it leads to from there, only the Internet. */
const outside: Outside = { schemes: ['http', 'https'], ports: [], networks: [] }

export async function bringUp(
  inside: WholeInside,
  { ctx, id, signal }: { ctx: Ctx; id: string; signal: AbortSignal },
): Promise<Updated> {
  const version = await inside.agentVersion()
  const build = await buildFor(ctx, id)
  const done = build && isOlder(version, build.version) ? await update(inside, ctx, build, signal) : { version }
  const message = 'failed' in done ? done.failed : null
  const wanted_version = build?.version ?? null
  await keepGuestAgent(ctx, { server_id: id, version: done.version ?? version, wanted_version, message })
  return done
}

async function buildFor(ctx: Ctx, id: string): Promise<AgentBuild | undefined> {
  const server = await existingServer(ctx, id)
  const host = server.host === null ? undefined : await hosts.find(ctx.db, { name: server.host })
  if (!host) return undefined
  const kind = kindOf(host, osOf(server))
  return (await agentBuilds.list(ctx.db)).find(build => isFor(build, kind))
}

async function update(inside: WholeInside, ctx: Ctx, build: AgentBuild, signal: AbortSignal): Promise<Updated> {
  const fetched = await fetchBuild(ctx, build, signal)
  if ('failed' in fetched) return fetched
  try {
    return await updateAgent(inside, { ...build, bytes: fetched.bytes })
  } catch (error) {
    if (isRefusal(error)) return { failed: messageOf(error) }
    throw error
  }
}

/** The build's file, whole and checked. Why it is not, users read: the address is none of theirs. */
async function fetchBuild(
  ctx: Ctx,
  { url, md5hash, version }: AgentBuild,
  signal: AbortSignal,
): Promise<{ bytes: Buffer } | { failed: string }> {
  const late = new AbortController()
  using _timer = ctx.clock.after(fetchMs, () => late.abort(new Error('it took longer than five minutes')))
  try {
    const { status, body } = await openUrl(outside, url, {
      guarded: false,
      signal: AbortSignal.any([signal, late.signal]),
    })
    const parts: Buffer[] = []
    let size = 0
    try {
      if (status !== 200) throw new Error(`it answered ${status}`)
      for await (const part of body as AsyncIterable<Buffer>) {
        size += part.length
        if (size > maxBytes) throw new Error(`it is longer than ${maxBytes} bytes`)
        parts.push(part)
      }
    } finally {
      body.destroy()
    }
    const bytes = Buffer.concat(parts)
    const digest = createHash(digests[md5hash.length]!).update(bytes).digest('hex')
    if (digest !== md5hash.toLowerCase()) throw new Error(`its digest is ${digest}, not that of the build`)
    return { bytes }
  } catch (error) {
    signal.throwIfAborted()
    // The whole address may hold a secret.
    ctx.log.warn(
      { url: new URL(url).origin, version, err: messageOf(error) },
      "a build of guests' agents could not be fetched",
    )
    return { failed: `The file of the agent's build ${version} could not be had; the cloud's log says why.` }
  }
}
