/** Connections that leave HTTP: each service's WebSocket paths. Whatever else asks for an upgrade is an ordinary request. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Env } from '../context.ts'
import { messageOf } from '../errors.ts'

/** Takes over the connection, or says with which status it is refused. */
export type UpgradeHandler = (
  env: Env,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => Promise<{ refused: number } | undefined>

/** By whole path from the root of the port. */
export type Upgrades = Readonly<Record<string, UpgradeHandler>>

const pathOf = ({ url }: IncomingMessage) => (url ?? '').split('?')[0]!

/** Some clients offer HTTP/2 with every request: only WebSockets to a path that has one are taken for an upgrade. */
export function isUpgrade(request: IncomingMessage, upgrades: Upgrades): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket' && Object.hasOwn(upgrades, pathOf(request))
}

export function serveUpgrades(env: Env, app: FastifyInstance, upgrades: Upgrades): void {
  const open = new Set<Duplex>()
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy())
    void take(request, socket, head)
  })
  // The server's own close waits for these connections but does not end them.
  app.addHook('preClose', async () => {
    for (const socket of open) socket.destroy()
  })

  async function take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const path = pathOf(request)
    try {
      const outcome = await upgrades[path]!(env, request, socket, head)
      if (outcome) refuse(socket, outcome.refused)
    } catch (error) {
      env.log.error({ err: error, path }, `upgrade failed: ${messageOf(error)}`)
      refuse(socket, 500)
    }
  }
}

const reasons: Record<number, string> = {
  400: 'Bad Request',
  403: 'Forbidden',
  409: 'Conflict',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Without a body: some clients take what follows the head for frames. */
function refuse(socket: Duplex, status: number): void {
  if (socket.destroyed) return
  socket.end(`HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
