/** Web servers in memory, at `http://files.test`, that the cloud fetches from: what one answers is said by the path. */
import { Agent } from 'node:http'
import { Duplex } from 'node:stream'

export const site = 'http://files.test'

/** What a path means: the bytes, and how they come. */
export interface Page {
  bytes: Buffer
  status?: number
  /** Milliseconds until the answer begins. */
  afterMs?: number
  /** The connection ends in the middle of them. */
  broken?: boolean
}

export interface Web {
  page(path: string): Page | undefined
  /** Calls back when so many milliseconds have passed. */
  after(ms: number, act: () => void): void
}

let current: Web | undefined
let installed = false

/** The next run's. Only one run at a time may have them. */
export function newWeb(web: Web): void {
  install()
  current = web
}

function install(): void {
  if (installed) return
  installed = true
  const connections = Agent.prototype as unknown as { createConnection(options: { host?: string }): Duplex }
  const { createConnection } = connections
  connections.createConnection = function (options, ...rest: []) {
    return site.endsWith(`//${options.host}`) ? connection() : createConnection.call(this, options, ...rest)
  }
}

/** One request and its answer. */
function connection(): Duplex {
  const web = current
  let head = ''
  const socket = new Duplex({
    read() {},
    write(piece, _encoding, done) {
      head += String(piece)
      if (head.endsWith('\r\n\r\n')) answer(head.split(' ')[1]!)
      done()
    },
  })
  function answer(path: string): void {
    const {
      bytes,
      status = 200,
      afterMs = 0,
      broken = false,
    } = web?.page(path) ?? { bytes: Buffer.alloc(0), status: 404 }
    web?.after(afterMs, () => {
      if (socket.destroyed) return
      socket.push(`HTTP/1.1 ${status} So\r\ncontent-length: ${bytes.length}\r\nconnection: close\r\n\r\n`)
      socket.push(broken ? bytes.subarray(0, bytes.length / 2) : bytes)
      socket.push(null)
    })
  }
  const itself = () => socket
  return Object.assign(socket, {
    setTimeout: itself,
    setNoDelay: itself,
    setKeepAlive: itself,
    ref: itself,
    unref: itself,
  })
}
