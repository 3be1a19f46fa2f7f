/** Consoles of fake guests: loopback listeners that speak enough for a console proxy to have something to carry. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** Opened when first asked for. */
export function fakeConsoles(log: (id: string) => string) {
  const servers = new Map<string, Promise<Server>>()
  const sockets = new Set<Socket>()

  async function open(id: string, type: 'vnc' | 'serial'): Promise<Server> {
    const server = createServer(socket => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
      socket.write(type === 'vnc' ? 'RFB 003.008\n' : log(id))
      if (type === 'serial') socket.pipe(socket)
      else socket.resume()
    })
    server.unref().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  return {
    async port(id: string, type: 'vnc' | 'serial'): Promise<number> {
      const key = `${type} ${id}`
      const server = servers.get(key) ?? open(id, type)
      servers.set(key, server)
      return ((await server).address() as AddressInfo).port
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      for (const server of servers.values()) (await server).close()
      servers.clear()
    },
  }
}
