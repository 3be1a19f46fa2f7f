/** Consoles of fake guests: loopback listeners that speak enough for a console proxy to have something to carry. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { GuestSpec } from './driver.ts'

/** Opened when first asked for. */
export function fakeConsoles(log: (id: string) => string) {
  const servers = new Map<string, Promise<Server>>()
  const sockets = new Set<Socket>()

  async function open(id: string, type: 'vnc' | 'serial'): Promise<Server> {
    const server = createServer(socket => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
      if (type === 'vnc') shakeHands(socket)
      else {
        socket.write(log(id))
        socket.pipe(socket)
      }
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

/** A black screen: its size, 32-bit colours, and a name. */
const screen = Buffer.from([
  ...[...[0x02, 0x80], ...[0x01, 0xe0]],
  ...[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0],
  ...[0, 0, 0, 4, ...Buffer.from('fake')],
])

/** The viewer's turns in opening a screen by RFB 3.8: how many bytes each has, and the answer. */
const turns = [
  { length: 12, answer: Buffer.from([1, 1]) },
  { length: 1, answer: Buffer.from([0, 0, 0, 0]) },
  { length: 1, answer: screen },
]

/** Whoever asks may see it. What comes afterwards is read and left alone. */
function shakeHands(socket: Socket): void {
  const left = [...turns]
  let read = 0
  socket.write('RFB 003.008\n')
  socket.on('data', bytes => {
    read += bytes.length
    while (left[0] && read >= left[0].length) {
      const { length, answer } = left.shift()!
      read -= length
      socket.write(answer)
    }
  })
}

/** What a fake guest prints when it boots. */
export function bootText(spec: GuestSpec): string {
  const name = spec.name.replace(/[^\w.-]/g, '-')
  return [
    'SeaBIOS (simulated)',
    'Booting from Hard Disk...',
    `[    0.000000] Memory: ${spec.memory_mb * 1024}K available, ${spec.vcpus} CPUs`,
    ...spec.nics.map((nic, index) => `[    0.400000] eth${index}: link up, ${nic.mac}`),
    ...(spec.config_drive ? ['cloud-init: found a config drive'] : []),
    'simulated guest ready',
    '',
    `${name} login: `,
  ].join('\n')
}

export function lastLines(log: string, lines?: number): string {
  if (lines === undefined) return log
  const all = log.split('\n')
  const ended = all.at(-1) === ''
  return lines <= 0 ? '' : all.slice(-(ended ? lines + 1 : lines)).join('\n')
}
