/** The one port of a simulated cloud: stays while the cloud behind it is reset, and knows every request that came. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { isUpgrade, type Upgrades } from '#kernel/http/upgrade.ts'
import { controlsPath } from './controls.ts'

const { createServer } = process.getBuiltinModule('node:http')

export interface Front extends AsyncDisposable {
  readonly url: string
  /** Answers come from it from now on, and those that were held go on. */
  serve(app: FastifyInstance): void
  /** Holds requests that come from now on, and breaks the connections of those under way, but for those of the controls. */
  hold(): void
}

export interface FrontOptions {
  host: string
  /** 0 lets the system choose. */
  port: number
  upgrades: Upgrades
  /** Called for every request that is not for the controls. What it returns is called at the end of the answer. */
  came: (request: IncomingMessage) => (response: ServerResponse) => void
}

/** As long as Fastify's own. */
const keepAliveMs = 72_000

export const isControl = (url: string | undefined) =>
  url === controlsPath || ['/', '?'].some(next => url?.startsWith(controlsPath + next))

export async function openFront({ host, port, upgrades, came }: FrontOptions): Promise<Front> {
  let app: FastifyInstance | undefined
  let waiting = Promise.withResolvers<FastifyInstance>()
  const under = new Set<ServerResponse>()

  const server = createServer(
    { keepAliveTimeout: keepAliveMs, shouldUpgradeCallback: request => isUpgrade(request, upgrades) },
    (request, response) => {
      if (!isControl(request.url)) {
        const ended = came(request)
        under.add(response)
        response.once('close', () => {
          under.delete(response)
          ended(response)
        })
      }
      if (app) app.routing(request, response)
      else void waiting.promise.then(next => next.routing(request, response))
    },
  )
  server.on('upgrade', (request, socket, head) => {
    if (app) app.server.emit('upgrade', request, socket, head)
    else socket.destroy()
  })
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, host, done))
  const bound = server.address() as AddressInfo
  const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address

  return {
    url: `http://${shown}:${bound.port}`,
    serve(next) {
      app = next
      waiting.resolve(next)
    },
    hold() {
      app = undefined
      waiting = Promise.withResolvers()
      for (const response of under) response.destroy()
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise(done => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}
