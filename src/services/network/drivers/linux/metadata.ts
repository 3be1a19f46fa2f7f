/**
 * Metadata at 169.254.169.254 in each network's namespace: who asks is told by the packet, never by a header. Not at fe80::a9fe:a9fe: the
 * runtime throws when it names a link-local peer behind an interface that only another namespace has.
 */
import { spawn } from 'node:child_process'
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Server as NetServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { messageOf } from '#kernel/errors.ts'
import type { Log } from '#kernel/log.ts'
import type { MetadataHandler, MetadataResponse } from '../driver.ts'
import { metadataV4 } from './addresses.ts'
import { inPool } from './exec.ts'

const { createServer } = process.getBuiltinModule('node:http')

const maxBody = 64 * 1024
const maxHeaders = 16 * 1024

export interface MetadataListeners {
  handler: MetadataHandler | undefined
  /** Listens for exactly these networks (id to namespace); `renewed` namespaces are new, so that a listener of before is of no use. */
  converge(
    networks: ReadonlyMap<string, string>,
    renewed: ReadonlySet<string>,
  ): Promise<{ id: string; message: string }[]>
  close(): Promise<void>
}

export function metadataListeners({ nodePath, log }: { nodePath: string; log: Log }): MetadataListeners {
  const open = new Map<string, HttpServer>()

  const listeners: MetadataListeners = {
    handler: undefined,
    async converge(networks, renewed) {
      const problems: { id: string; message: string }[] = []
      for (const [id, server] of open) {
        const netns = networks.get(id)
        if (netns !== undefined && !renewed.has(netns)) continue
        open.delete(id)
        await closeServer(server)
      }
      const missing = [...networks].filter(([id]) => !open.has(id))
      await inPool(missing, 2, async ([id, netns]) => {
        try {
          const server = httpServer(id)
          await adopt(server, await listenIn(netns, nodePath))
          open.set(id, server)
        } catch (error) {
          problems.push({ id, message: `metadata is not served: ${messageOf(error)}` })
        }
      })
      return problems
    },
    async close() {
      const servers = [...open.values()]
      open.clear()
      await Promise.all(servers.map(closeServer))
    },
  }

  function httpServer(networkId: string): HttpServer {
    const server = createServer(
      { maxHeaderSize: maxHeaders, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 },
      (request, response) => {
        answer(networkId, request, response).catch(error => {
          log.error({ network_id: networkId, error: messageOf(error) }, 'metadata request failed')
          if (response.headersSent) response.destroy()
          else response.writeHead(500, { 'content-type': 'text/plain' }).end('Internal Server Error\n')
        })
      },
    )
    server.maxConnections = 512
    return server
  }

  async function answer(networkId: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const source_ip = request.socket.remoteAddress ?? ''
    const body = await readBody(request)
    if (body === undefined) {
      response.writeHead(413, { 'content-type': 'text/plain', connection: 'close' }).end('Request Entity Too Large\n')
      return
    }
    if (!listeners.handler) {
      response.writeHead(503, { 'content-type': 'text/plain' }).end('Service Unavailable\n')
      return
    }
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : (value ?? ''),
      ]),
    )
    const { method = 'GET', url: path = '/' } = request
    const result: MetadataResponse = await listeners.handler({
      network_id: networkId,
      source_ip,
      method,
      path,
      headers,
      body,
    })
    response.writeHead(result.status, result.headers)
    response.end(method === 'HEAD' ? undefined : result.body)
  }

  return listeners
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBody) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function listenIn(netns: string, nodePath: string): Promise<NetServer> {
  return new Promise((resolve, reject) => {
    const script = fileURLToPath(import.meta.resolve('./metadata-listen.ts'))
    const child = spawn('ip', ['netns', 'exec', netns, nodePath, script, metadataV4], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
    })
    let said = ''
    child.stderr?.on('data', chunk => {
      if (said.length < 2000) said += chunk
    })
    child.once('message', (_message, handle) => {
      if (handle) resolve(handle as NetServer)
      else reject(new Error('the port was not handed over'))
    })
    child.once('error', reject)
    child.once('close', code => reject(new Error(said.trim() || `the listener ended with status ${code}`)))
  })
}

function adopt(server: HttpServer, handle: NetServer): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(handle, resolve)
  })
}

function closeServer(server: HttpServer): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
