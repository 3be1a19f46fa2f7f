/** The bus as one process has it that can be killed at any instant: what it waits for never comes, and nobody hears of it any more. */
import type { Bus, Handler, Listener } from './bus.ts'

export interface EndableBus extends Bus {
  end(): void
}

/** What a dead process waits for. */
const never = new Promise<never>(() => {})

/** Calls of others that were under way are never answered; later ones find nobody. Disposing of it does nothing: the bus below is the caller's. */
export function endableBus(bus: Bus): EndableBus {
  const held = new Set<AsyncDisposable>()
  let ended = false

  function hold(one: AsyncDisposable): AsyncDisposable {
    if (ended) void one[Symbol.asyncDispose]()
    else held.add(one)
    return {
      async [Symbol.asyncDispose]() {
        held.delete(one)
        await one[Symbol.asyncDispose]()
      },
    }
  }
  async function unlessEnded<T>(work: () => T | Promise<T>): Promise<T> {
    if (ended) return never
    try {
      const result = await work()
      return ended ? never : result
    } catch (error) {
      if (ended) return never
      throw error
    }
  }
  const answering =
    (handler: Handler): Handler =>
    (payload, context) =>
      unlessEnded(() => handler(payload, context))
  const hearing =
    (listener: Listener): Listener =>
    (payload, subject) => {
      if (!ended) return listener(payload, subject)
    }

  return {
    clock: bus.clock,
    serve: (subject, handler) => hold(bus.serve(subject, answering(handler))),
    call: (subject, payload, options) => unlessEnded(() => bus.call(subject, payload, options)),
    publish(subject, payload) {
      if (!ended) bus.publish(subject, payload)
    },
    subscribe: (pattern, listener) => hold(bus.subscribe(pattern, hearing(listener))),
    flush: () => bus.flush(),
    end() {
      ended = true
      for (const one of held) void one[Symbol.asyncDispose]()
    },
    async [Symbol.asyncDispose]() {},
  }
}
