/** Small programs that a test's guest runs: a DHCP client, name lookups, connections. Each prints JSON. */
import { createSocket } from 'node:dgram'
import { promises as dns } from 'node:dns'
import { connect, createServer } from 'node:net'
import { systemClock } from '#kernel/clock.ts'

const { request } = process.getBuiltinModule('node:http')
const clock = systemClock()

const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)

interface Offer {
  address: string
  server: string
  type: number
  /** Options by number, as hex. */
  options: Record<string, string>
}

function dhcpMessage(type: number, mac: string, extra: number[]): Buffer {
  const head = Buffer.alloc(240)
  head.set([1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0x80, 0])
  head.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 28)
  head.set([0x63, 0x82, 0x53, 0x63], 236)
  return Buffer.concat([head, Buffer.from([53, 1, type, 55, 7, 1, 3, 6, 15, 26, 121, 67, ...extra, 255])])
}

function readDhcp(message: Buffer): Offer {
  const options: Record<string, string> = {}
  for (let at = 240; at < message.length && message[at] !== 255; ) {
    if (message[at] === 0) at++
    else {
      const length = message[at + 1]!
      options[message[at]!] = message.subarray(at + 2, at + 2 + length).toString('hex')
      at += 2 + length
    }
  }
  const dotted = (bytes: Buffer) => [...bytes].join('.')
  return {
    address: dotted(message.subarray(16, 20)),
    server: dotted(Buffer.from(options[54] ?? '00000000', 'hex')),
    type: Number.parseInt(options[53] ?? '0', 16),
    options,
  }
}

const programs: Record<string, (...args: string[]) => Promise<void> | void> = {
  /** Discovers, gathers all offers for `ms`, then asks the first server for the lease. */
  async dhcp(mac = '', ms = '400') {
    const socket = createSocket('udp4')
    const heard: Offer[] = []
    socket.on('message', message => void heard.push(readDhcp(message)))
    await new Promise<void>(resolve => socket.bind(68, '0.0.0.0', resolve))
    socket.setBroadcast(true)
    const send = (message: Buffer) => socket.send(message, 67, '255.255.255.255')
    send(dhcpMessage(1, mac, []))
    await clock.sleep(Number(ms))
    const offers = heard.splice(0).filter(offer => offer.type === 2)
    const [first] = offers
    if (first) {
      const bytes = (ip: string) => ip.split('.').map(Number)
      send(dhcpMessage(3, mac, [50, 4, ...bytes(first.address), 54, 4, ...bytes(first.server)]))
      await clock.sleep(Number(ms))
    }
    socket.close()
    say({ offers, ack: heard.find(offer => offer.type === 5) ?? null })
  },

  async lookup(server = '', type = 'A', name = '') {
    const resolver = new dns.Resolver({ timeout: 1000, tries: 2 })
    resolver.setServers([server])
    const answer = type === 'PTR' ? resolver.reverse(name) : resolver.resolve(name, type)
    say(await answer.catch((error: { code?: string }) => ({ error: error.code })))
  },

  /** Tells each connection's peer; what comes in is echoed. */
  serve(port = '') {
    const server = createServer(socket => {
      say({ peer: socket.remoteAddress })
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    server.listen(Number(port), () => say('listening'))
  },

  /** Connects and keeps one line a `ms` echoing; prints each that returned. */
  chat(host = '', port = '', ms = '100') {
    const socket = connect(Number(port), host, () => say('connected'))
    socket.on('data', () => say('echo'))
    socket.on('error', error => say({ error: error.message }))
    const write = () => {
      socket.write('x')
      clock.after(Number(ms), write)
    }
    write()
  },

  connect(host = '', port = '') {
    const socket = connect(Number(port), host)
    const end = (result: string) => {
      say(result)
      process.exit(0)
    }
    socket.on('connect', () => end('connected'))
    socket.on('error', error => end((error as NodeJS.ErrnoException).code ?? 'error'))
    clock.after(1000, () => end('timeout'))
  },

  fetch(host = '', path = '/', forwarded = '') {
    ask(host, path, 'GET', forwarded ? { 'x-forwarded-for': forwarded } : {}, 0)
  },

  post(host = '', path = '/', size = '0') {
    ask(host, path, 'POST', {}, Number(size))
  },
}

/** One request to port 80; prints status and body, status 0 when there was no answer. */
function ask(host: string, path: string, method: string, headers: Record<string, string>, size: number): void {
  const sent = request({ host, port: 80, path, method, headers, timeout: 3000 }, response => {
    let body = ''
    response.on('data', chunk => {
      body += chunk
    })
    response.on('end', () => {
      say({ status: response.statusCode, body })
      process.exit(0)
    })
  })
  sent.on('timeout', () => sent.destroy(new Error('timeout')))
  sent.on('error', error => {
    say({ status: 0, body: error.message })
    process.exit(0)
  })
  sent.end(Buffer.alloc(size))
}

const [name = '', ...args] = process.argv.slice(2)
await programs[name]?.(...args)
