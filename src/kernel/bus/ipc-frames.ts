/** What a process and its workers say to each other about the bus, and the way on which it goes. */
import type { RequestFacts } from '../request-facts.ts'

/** Payloads travel as text that was encoded once; ids are the sender's. */
export type Frame =
  | { op: 'serve'; id: number; subject: string }
  | { op: 'subscribe'; id: number; pattern: string }
  /** The end of what was served or subscribed under an id. */
  | { op: 'leave'; id: number }
  | { op: 'call'; id: number; subject: string; text: string; timeoutMs: number; request?: RequestFacts }
  | { op: 'cancel'; id: number }
  | { op: 'publish'; subject: string; text: string }
  /** Asks for `reply` once everything before it was taken up. */
  | { op: 'flush'; id: number }
  | { op: 'reply'; id: number; text: string; lost?: 'nobody' | 'late' | 'closed' }
  /** From the parent: a call of what is served under an id, and a message for a subscription. */
  | { op: 'request'; id: number; to: number; text: string; request?: RequestFacts }
  | { op: 'deliver'; to: number; subject: string; text: string }

export type Reply = Frame & { op: 'reply' }

/** A way to one other process. */
export interface Channel {
  send(frame: object): void
  receive(listener: (frame: object) => void): void
  /** Calls once, when the other side is gone. */
  closed(listener: () => void): void
}

export const noLongerWaits = () => new Error('The caller no longer waits.')

/** Calls that run here for the other side, by its id. */
export function callsFor(send: (frame: Frame) => void) {
  const running = new Map<number, AbortController>()
  return {
    async run(id: number, work: (signal: AbortSignal) => Promise<Omit<Reply, 'op' | 'id'>>) {
      const controller = new AbortController()
      running.set(id, controller)
      const reply = await work(controller.signal)
      running.delete(id)
      send({ op: 'reply', id, ...reply })
    },
    cancel: (id: number) => running.get(id)?.abort(noLongerWaits()),
    abortAll(reason: Error) {
      for (const controller of running.values()) controller.abort(reason)
    },
  }
}

/** What both ends of Node's channel between processes have: `process` in the child, the child in its parent. */
interface Peer {
  readonly connected: boolean
  send?(message: object, sent: (error: Error | null) => void): unknown
  on(event: 'message', listener: (message: unknown) => void): unknown
  once(event: 'disconnect', listener: () => void): unknown
}

/** The frames of a bus among the messages between two processes. */
export function channelTo(peer: Peer): Channel {
  return {
    send(frame) {
      // One that cannot be sent has nobody to come to: `closed` tells of that.
      if (peer.connected) peer.send?.({ bus: frame }, () => {})
    },
    receive: listener =>
      void peer.on('message', message => {
        const frame = (message as { bus?: object } | null)?.bus
        if (frame) listener(frame)
      }),
    closed: listener => void peer.once('disconnect', listener),
  }
}
