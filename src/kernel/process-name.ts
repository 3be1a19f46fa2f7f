/** Names of processes on the bus: one has a name at a time, also when several ask for it at once. */
import type { Bus } from './bus/bus.ts'
import { subjectWord } from './bus/bus.ts'

/** In which others who want the name, or have it, make themselves heard. */
const listenMs = 500

interface Word {
  /** Who says it: a word of its own for each process. */
  from: string
  has: boolean
}

/** Takes a name until it is disposed of; undefined when another process has it. `own` is a word that no other process has. */
export async function takeName(bus: Bus, name: string, own: string): Promise<AsyncDisposable | undefined> {
  const subject = `kernel.names.${subjectWord(name)}`
  let [has, lost] = [false, false]
  const say = () => bus.publish(subject, { from: own, has } satisfies Word)
  const listening = bus.subscribe(subject, payload => {
    const other = payload as Word
    if (other.from === own || lost) return
    // Of those who ask at once the first by their words gets it.
    if (!has && (other.has || other.from < own)) lost = true
    else if (!other.has) say()
  })
  await bus.flush()
  say()
  await bus.clock.sleep(listenMs)
  if (!lost) {
    has = true
    return listening
  }
  await listening[Symbol.asyncDispose]()
  return undefined
}
