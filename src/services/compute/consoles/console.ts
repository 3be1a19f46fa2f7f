/** A console: the address by which somebody may look at one guest for a while. */
import { createHash } from 'node:crypto'
import type { Ctx } from '#kernel/context.ts'
import { BadRequest, Conflict, Fault } from '#kernel/errors.ts'
import { computeConfig } from '../config.ts'
import type { ConsoleEndpoint } from '../drivers/driver.ts'
import { hostAgent } from '../host-agent.ts'
import { hosts } from '../hosts/store.ts'
import type { ServerRow } from '../servers/server.ts'
import { isUnreachable } from '../servers/steps.ts'
import { findServer } from '../servers/store.ts'
import { keepToken, validToken } from './store.ts'

export const websocketPath = '/console/websocket'

export type ConsoleType = 'novnc' | 'serial'

export interface ConsoleTokenRow {
  token_hash: string
  server_id: string
  console_type: ConsoleType
  /** Where the server was; once it has moved, the token is of no use. */
  host: string
  /** Of the address that was given out; pages from elsewhere may not use the token. */
  origin: string
  expires_at: string
}

/** Types by protocol, as requests name them. */
const typesOf: Record<string, string[]> = {
  vnc: ['novnc', 'xvpvnc'],
  serial: ['serial'],
  spice: ['spice-html5', 'spice-direct'],
  rdp: ['rdp-html5'],
  mks: ['webmks'],
}

/** Which of a driver's consoles stands behind a type. */
export const driverConsole = { novnc: 'vnc', serial: 'serial' } as const

const isOffered = (type: string): type is ConsoleType => Object.hasOwn(driverConsole, type)

/** Makes a console of a server and returns its address. */
export async function openConsole(ctx: Ctx, server: ServerRow, protocol: string, type: string): Promise<string> {
  if (!typesOf[protocol]?.includes(type)) throw new BadRequest(`Invalid console type ${type}`)
  const host = server.host
  if (host === null) throw notReady(server)
  const facts = (await hosts.find(ctx.db, { name: host }))?.facts
  if (!isOffered(type) || !facts?.capabilities[driverConsole[type]]) {
    throw new BadRequest(`Unavailable console type ${type}.`)
  }
  await endpointOf(ctx, server, type)
  const token = ctx.ids.uuid()
  await keepToken(ctx, {
    token_hash: digest(token),
    server_id: server.id,
    console_type: type,
    host,
    origin: new URL(ctx.base).origin,
    expires_at: new Date(ctx.clock.now() + ctx.config.of(computeConfig).console_token_seconds * 1000).toISOString(),
  })
  const socket = `${websocketPath}?token=${token}`
  return type === 'serial'
    ? `${ctx.base.replace(/^http/, 'ws')}${socket}`
    : // Without its first slash, as noVNC writes it: programs put one before it.
      `${ctx.base}/console/vnc.html?path=${encodeURIComponent(socket.slice(1))}`
}

const digest = (token: string) => createHash('sha256').update(token).digest('hex')
const notReady = (server: ServerRow, cause?: unknown) => new Conflict(`Instance ${server.id} is not ready`, { cause })

/** Where the guest's console is now. */
export async function endpointOf(ctx: Ctx, server: ServerRow, type: ConsoleType): Promise<ConsoleEndpoint> {
  if (server.host === null) throw notReady(server)
  const asked = { id: server.id, type: driverConsole[type] }
  try {
    return await hostAgent(ctx, server.host).call('console', asked, { request: ctx })
  } catch (error) {
    if (isUnreachable(error)) {
      throw new Conflict(`The host of instance ${server.id} does not answer: try again later.`, { cause: error })
    }
    // The host has such a guest but it does not run now.
    if (error instanceof Fault && error.type === 'GuestError') throw notReady(server, error)
    throw error
  }
}

/** What a token opens; undefined when it is unknown or expired, or its server is gone or moved. */
export async function consoleOf(
  ctx: Ctx,
  token: string,
): Promise<{ row: ConsoleTokenRow; server: ServerRow } | undefined> {
  const row = await validToken(ctx, digest(token))
  const server = row && (await findServer(ctx, row.server_id))
  return server?.host === row?.host && row && server ? { row, server } : undefined
}
