/** Timers in the order in which they fire: the next is at hand however many wait, and each is added and taken out in a few steps. */

export interface Waiting {
  readonly at: number
  readonly fn: () => void
}

export interface Timers {
  /** The earliest; of two at the same time the one that was added first. */
  next(): Waiting | undefined
  add(at: number, fn: () => void): Waiting
  /** What is not there is none to be taken out. */
  remove(timer: Waiting): void
  readonly size: number
}

interface Placed extends Waiting {
  sequence: number
  /** In the heap; -1 when it is out. */
  place: number
}

export function timersInOrder(): Timers {
  /** None fires before the one that is half as far. */
  const heap: Placed[] = []
  let sequence = 0

  const isBefore = (a: Placed, b: Placed) => a.at < b.at || (a.at === b.at && a.sequence < b.sequence)

  function put(timer: Placed, place: number): void {
    heap[place] = timer
    timer.place = place
  }

  /** From a free place to where it belongs. */
  function rise(timer: Placed, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >>> 1
      if (!isBefore(timer, heap[above]!)) break
      put(heap[above]!, place)
      place = above
    }
    put(timer, place)
  }

  function sink(timer: Placed, from: number): void {
    let place = from
    for (;;) {
      const left = 2 * place + 1
      const right = left + 1
      if (left >= heap.length) break
      const below = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left
      if (!isBefore(heap[below]!, timer)) break
      put(heap[below]!, place)
      place = below
    }
    put(timer, place)
  }

  return {
    next: () => heap[0],
    add(at, fn) {
      const timer = { at, fn, sequence: sequence++, place: heap.length }
      rise(timer, heap.length)
      return timer
    },
    remove(timer) {
      const gone = timer as Placed
      const { place } = gone
      if (place < 0) return
      gone.place = -1
      const last = heap.pop()!
      if (last === gone) return
      if (place > 0 && isBefore(last, heap[(place - 1) >>> 1]!)) rise(last, place)
      else sink(last, place)
    },
    get size() {
      return heap.length
    },
  }
}
