/** Carries a console between a WebSocket and the one guest that its token opens. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { type Ctx, type Env, perCloud, systemCtx } from '#kernel/context.ts'
import { Conflict, messageOf } from '#kernel/errors.ts'
import type { UpgradeHandler } from '#kernel/http/upgrade.ts'
import type { ConsoleEndpoint } from '../drivers/driver.ts'
import { findServer } from '../servers/store.ts'
import { type ConsoleTokenRow, consoleOf, endpointOf } from './console.ts'

/** A viewer that has gone away without a word is noticed within twice this time. */
const checkEveryMs = 30_000
/** Keys, pointer moves and pasted text are small. */
const maxMessageBytes = 256 * 1024

/** Close codes. */
const goingAway = 1001
const openedElsewhere = 4001

interface Proxy {
  sockets: WebSocketServer
  make(socket: WebSocket): Duplex
}

interface SerialViewer {
  id: string
  socket: WebSocket
  /** The bus has told of it: what is told from now on is of a newer one. */
  told: boolean
}

/** Guests have one serial line each: the newest viewer gets it, in whichever process. By server. */
const serialViewers = perCloud(() => new Map<string, SerialViewer>())

const serialOpened = 'compute.consoles.serial'

// Loaded by the first console, since it costs start-up time.
const proxyOf = perCloud(async (): Promise<Proxy> => {
  const { createWebSocketStream, WebSocketServer } = await import('ws')
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: offered => (offered.has('binary') ? 'binary' : false),
  })
  // Clients' own test suites look for the name of the proxy that they know.
  sockets.on('headers', headers => headers.push('Server: WebSockify'))
  return { sockets, make: socket => createWebSocketStream(socket) }
})

export const consoleUpgrade: UpgradeHandler = async (env, request, socket, head) => {
  const ctx = systemCtx(env)
  const found = await consoleOf(ctx, tokenOf(request))
  if (!found || !mayOpen(env, request, found.row.origin)) return { refused: 403 }
  const { row, server } = found
  const guest = await guestSocket(ctx, () => endpointOf(ctx, server, row.console_type))
  if (!guest) return { refused: 503 }
  socket.once('close', () => guest.destroy())
  const proxy = await proxyOf(env)
  if (socket.destroyed) {
    // It may have closed before anybody listened for that.
    guest.destroy()
    return undefined
  }
  proxy.sockets.handleUpgrade(request, socket, head, viewer => {
    ctx.log.info({ server_id: server.id, type: row.console_type }, 'console opened')
    if (row.console_type === 'serial') takeSerial(ctx, server.id, viewer)
    watch(ctx, viewer, row)
    carry(ctx, proxy.make(viewer), guest)
  })
  return undefined
}

function tokenOf({ url }: IncomingMessage): string {
  return new URLSearchParams((url ?? '').split('?')[1] ?? '').get('token') ?? ''
}

/** Browsers say which page asks: only ours may. Programs that are no browsers say nothing. */
function mayOpen(env: Env, { headers }: IncomingMessage, origin: string): boolean {
  return headers.origin === undefined || [origin, new URL(env.publicUrl).origin].includes(headers.origin)
}

/** A connection to the guest's console; undefined when there is none now. */
async function guestSocket(ctx: Ctx, ask: () => Promise<ConsoleEndpoint>): Promise<Socket | undefined> {
  let socket: Socket | undefined
  try {
    const endpoint = await ask()
    socket = endpoint.type === 'unix' ? connect(endpoint.path) : connect(endpoint.port, endpoint.host)
    await once(socket, 'connect')
    return socket.setNoDelay(true)
  } catch (error) {
    socket?.destroy()
    ctx.log[error instanceof Conflict ? 'info' : 'warn']({ err: messageOf(error) }, 'console not reachable')
    return undefined
  }
}

/** Bytes both ways, each side as fast as the other takes them; the end of one is the end of both. */
function carry(ctx: Ctx, viewer: Duplex, guest: Socket): void {
  pipeline(viewer, guest, viewer, error => {
    if (error) ctx.log.debug({ err: messageOf(error) }, 'console closed')
  })
}

function takeSerial(ctx: Ctx, server_id: string, socket: WebSocket): void {
  const viewers = serialViewers(ctx)
  viewers.get(server_id)?.socket.close(openedElsewhere, 'opened elsewhere')
  const id = ctx.ids.uuid()
  viewers.set(server_id, { id, socket, told: false })
  socket.once('close', () => {
    if (viewers.get(server_id)?.id === id) viewers.delete(server_id)
  })
  ctx.bus.publish(serialOpened, { server_id, id })
}

/** Makes way for viewers of the same line in other processes. All processes hear of them in one order. */
export function followSerialConsoles(env: Env): AsyncDisposable {
  return env.bus.subscribe(serialOpened, opened => {
    const { server_id, id } = opened as { server_id: string; id: string }
    const viewer = serialViewers(env).get(server_id)
    if (viewer?.id === id) viewer.told = true
    else if (viewer?.told) viewer.socket.close(openedElsewhere, 'opened elsewhere')
  })
}

/** Ends a console whose viewer does not answer any more, or whose server is gone or has moved. */
function watch(ctx: Ctx, viewer: WebSocket, { server_id, host }: ConsoleTokenRow): void {
  let answered = true
  let timer = ctx.clock.after(checkEveryMs, check)
  viewer.on('pong', () => {
    answered = true
  })
  viewer.once('close', () => timer.cancel())
  function check(): void {
    if (!answered) {
      viewer.terminate()
      return
    }
    answered = false
    viewer.ping()
    timer = ctx.clock.after(checkEveryMs, check)
    findServer(ctx, server_id).then(
      server => server?.host === host || viewer.close(goingAway, 'the server is gone'),
      error => ctx.log.warn({ err: messageOf(error), server_id }, 'the server of a console could not be looked up'),
    )
  }
}
