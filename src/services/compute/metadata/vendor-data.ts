/** What the operator tells guests: a file that is the same for all, and the answers of web services that are asked about each server. */
import { readFile } from 'node:fs/promises'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { messageOf, Unavailable } from '#kernel/errors.ts'
import { type Outside, sendTo } from '#kernel/http/outside.ts'
import { computeConfig } from '../config.ts'
import { requestSpecOf } from '../servers/store-asked.ts'
import type { GuestFacts } from './facts.ts'

type Json = Record<string, unknown>

const maxAnswerBytes = 256 * 1024
/** Targets are chosen by the operator: they may be anywhere. */
const anywhere: Outside = { schemes: ['http', 'https'], ports: [], networks: ['0.0.0.0/0', '::/0'] }
const good = [200, 201, 202, 203]

/** The answers of all targets by their names. Throws `Unavailable` when one fails that must not. */
export async function askTargets(ctx: Ctx, facts: GuestFacts): Promise<Json> {
  const { targets } = settingsOf(ctx)
  if (targets.length === 0) return {}
  const question = JSON.stringify(await questionAbout(ctx, facts))
  const answers = targets.map(async target => {
    const at = target.indexOf('@')
    return [target.slice(0, at), await answerOf(ctx, target.slice(at + 1), question)] as const
  })
  return Object.fromEntries(await Promise.all(answers))
}

const settingsOf = (ctx: Ctx) => ctx.config.of(computeConfig).vendordata

/** The operator's file. */
export async function readVendorFile(ctx: Ctx): Promise<Json> {
  const { file } = settingsOf(ctx)
  if (file === '') return {}
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Json
  } catch (error) {
    ctx.log.warn({ err: messageOf(error) }, 'compute.vendordata.file cannot be read: guests get no vendor data of it')
    return {}
  }
}

async function questionAbout(ctx: Ctx, { server, user_data }: GuestFacts): Promise<Json> {
  return {
    'project-id': server.project_id,
    'instance-id': server.id,
    'image-id': server.image_ref,
    'user-data': user_data?.toString('base64') ?? null,
    hostname: server.hostname,
    metadata: server.metadata,
    'boot-roles': (await requestSpecOf(ctx, server.id))?.boot_roles?.join(',') ?? '',
  }
}

async function answerOf(ctx: Ctx, url: string, question: string): Promise<unknown> {
  const { timeout_seconds, failure_fatal } = settingsOf(ctx)
  const abort = new AbortController()
  const late = () => abort.abort(new Error(`no answer in ${timeout_seconds} s`))
  using _timer = ctx.clock.after(timeout_seconds * 1000, late)
  try {
    const token = await tokenOf(ctx, abort.signal)
    const headers = {
      accept: 'application/json',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(question)),
      'user-agent': 'openstack-nova-vendordata',
      ...(token !== undefined && { 'x-auth-token': token }),
    }
    const asked = { method: 'POST' as const, headers, body: question, signal: abort.signal, maxBytes: maxAnswerBytes }
    const { status, text } = await sendTo(anywhere, url, asked)
    if (!good.includes(status)) throw new Error(`it answered ${status}`)
    return text === '' ? {} : (JSON.parse(text) as unknown)
  } catch (cause) {
    ctx.log.warn({ url: new URL(url).origin, err: messageOf(cause) }, 'a source of vendor data failed')
    if (failure_fatal) throw new Unavailable('A source of vendor data failed.', { cause })
    return {}
  }
}

interface Entered {
  token: string
  /** Milliseconds since the epoch. */
  until: number
}

const entered = perCloud(() => ({ last: undefined as Entered | undefined }))
/** A token is not used in its last minute. */
const marginMs = 60_000

/** A token of the account by which targets know that it is the cloud who asks; undefined without such an account. */
async function tokenOf(ctx: Ctx, signal: AbortSignal): Promise<string | undefined> {
  const { username, password, project, domain, url } = settingsOf(ctx).auth
  if (username === '') return undefined
  const kept = entered(ctx)
  if (kept.last && kept.last.until - marginMs > ctx.clock.now()) return kept.last.token
  const user = { name: username, password, domain: { name: domain } }
  const identity = { methods: ['password'], password: { user } }
  const scope = { project: { name: project, domain: { name: domain } } }
  const answer = await fetch(`${url || `${ctx.publicUrl}/identity`}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope } }),
    redirect: 'manual',
    signal,
  })
  const token = answer.headers.get('x-subject-token')
  if (!token) throw new Error(`the account of compute.vendordata.auth was refused with ${answer.status}`)
  const { expires_at } = ((await answer.json()) as { token: { expires_at: string } }).token
  kept.last = { token, until: Date.parse(expires_at) }
  return token
}
