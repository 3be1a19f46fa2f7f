/** Client of QMP, QEMU's monitor protocol: JSON lines over a unix socket. */
import { createConnection, type Socket } from 'node:net'
import type { Clock } from '#kernel/clock.ts'

export interface QmpEvent {
  event: string
  data: Record<string, unknown>
}

export interface Qmp {
  /** Runs a command. Rejects with QmpError when QEMU refuses, and when the answer is late or the connection is lost. */
  execute<T = unknown>(command: string, args?: Record<string, unknown>, timeoutMs?: number): Promise<T>
  /** Returns the function that stops listening. */
  onEvent(listener: (event: QmpEvent) => void): () => void
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  close(): void
}

/** QEMU refused a command, or could not be asked. `kind` is QEMU's error class, or `Timeout`, `Closed`, `Protocol`. */
export class QmpError extends Error {
  readonly kind: string
  constructor(kind: string, message: string) {
    super(message)
    this.name = 'QmpError'
    this.kind = kind
  }
}

/** A compromised QEMU could send a line without end; no honest answer comes near this. */
const maxLine = 8 * 1024 * 1024

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
}

interface Message {
  QMP?: unknown
  id?: unknown
  return?: unknown
  error?: { class?: string; desc?: string }
  event?: unknown
  data?: Record<string, unknown>
}

export interface ConnectOptions {
  timeoutMs?: number
  onEvent?: (event: QmpEvent) => void
}

/** Connects and negotiates. Rejects when nobody listens at `path` (ENOENT, ECONNREFUSED) or no greeting comes in time. */
export async function connectQmp(path: string, clock: Clock, options: ConnectOptions = {}): Promise<Qmp> {
  const timeoutMs = options.timeoutMs ?? 10_000
  for (const start = clock.monotonic(); ; await clock.sleep(50)) {
    try {
      return await connectOnce(path, clock, timeoutMs, options.onEvent)
    } catch (error) {
      // QEMU takes one connection at a time, and lets few wait: those that gave up on it have to be drained first.
      const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN'
      if (!isBusy || clock.monotonic() - start > timeoutMs) throw error
    }
  }
}

async function connectOnce(
  path: string,
  clock: Clock,
  timeoutMs: number,
  onFirstEvent: ConnectOptions['onEvent'],
): Promise<Qmp> {
  const listeners = new Set(onFirstEvent ? [onFirstEvent] : [])
  const pending = new Map<string, Pending>()
  const greeting = Promise.withResolvers<unknown>()
  const closed = Promise.withResolvers<void>()
  let lastId = 0

  const socket = createConnection(path)
  socket.on('error', error => end(error))
  socket.on('close', () => {
    end(new QmpError('Closed', 'QEMU closed its monitor.'))
    closed.resolve()
  })
  readLines(socket, receive, () => end(new QmpError('Protocol', 'QEMU sent a line that is too long.')))

  function end(error: Error) {
    greeting.reject(error)
    for (const waiting of pending.values()) waiting.reject(error)
    pending.clear()
    socket.destroy()
  }

  function receive(line: string) {
    let message: Message
    try {
      message = JSON.parse(line) as Message
    } catch {
      return end(new QmpError('Protocol', 'QEMU sent something that is not JSON.'))
    }
    if (message.QMP) greeting.resolve(message.QMP)
    else if (typeof message.event === 'string') {
      for (const listener of [...listeners]) listener({ event: message.event, data: message.data ?? {} })
    } else if (typeof message.id === 'string') {
      const waiting = pending.get(message.id)
      pending.delete(message.id)
      if (message.error) {
        waiting?.reject(new QmpError(message.error.class ?? 'GenericError', message.error.desc ?? 'unknown error'))
      } else waiting?.resolve(message.return)
    }
  }

  async function inTime<T>(promise: Promise<T>, ms: number, what: string, late: () => void): Promise<T> {
    const timeout = Promise.withResolvers<never>()
    using _ = clock.after(ms, () => {
      late()
      timeout.reject(new QmpError('Timeout', `QEMU did not answer ${what} in ${ms / 1000} s.`))
    })
    return await Promise.race([promise, timeout.promise])
  }

  function execute<T>(command: string, args: Record<string, unknown> = {}, ms = timeoutMs): Promise<T> {
    if (socket.destroyed) return Promise.reject(new QmpError('Closed', 'QEMU closed its monitor.'))
    const id = String(++lastId)
    const answer = Promise.withResolvers<unknown>()
    pending.set(id, answer)
    socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    return inTime(answer.promise, ms, command, () => pending.delete(id)) as Promise<T>
  }

  try {
    await inTime(greeting.promise, timeoutMs, 'the connection', () => {})
    await execute('qmp_capabilities')
  } catch (error) {
    socket.destroy()
    throw error
  }
  return {
    execute,
    onEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    closed: closed.promise,
    close: () => socket.destroy(),
  }
}

function readLines(socket: Socket, onLine: (line: string) => void, onTooLong: () => void) {
  let rest: Buffer[] = []
  let size = 0
  socket.on('data', (chunk: Buffer) => {
    let from = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, at)]).toString('utf8')
      rest = []
      size = 0
      from = at + 1
      if (line.trim()) onLine(line)
    }
    rest.push(chunk.subarray(from))
    size += chunk.length - from
    if (size > maxLine) {
      rest = []
      onTooLong()
    }
  })
}
