/** A cloud is killed again and again, at moments that the seed chooses, while clients are at work or while it starts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf } from '../journeys/stage.ts'
import type { Chapter } from './chapter.ts'

export interface KillsOptions {
  kills: number
  /** Milliseconds of work before a kill. */
  work: [number, number]
  /** How far into a start it is killed: percent of what the last whole one took. */
  starting: [number, number]
}

/** All of it, while it works or while it starts, or one of its API processes. */
type Kind = 'at work' | 'starting' | 'an API process'

export const killWith =
  ({ kills, work, starting }: KillsOptions) =>
  async (chapter: Chapter): Promise<void> => {
    const { cloud, clients, dice, options } = chapter
    const hasWorkers = options.flags.includes('--workers')
    let up = true
    for (let number = 1; number <= kills && !chapter.timeIsUp(); number++) {
      const kind: Kind = !up ? 'starting' : hasWorkers && dice.chance(0.4) ? 'an API process' : 'at work'
      const ms = up ? dice.between(...work) : Math.round((dice.between(...starting) / 100) * cloud.startMs)
      chapter.count(`killed: ${kind}`)
      cloud.timeline.note(`* kill ${number}: ${kind}, after ${ms} ms`)
      if (kind === 'starting') await killStarting(chapter, ms)
      else await clients.workUntil(killAtWork(chapter, kind, ms))
      up = kind === 'an API process'
      const line = `kill ${number}/${kills}: ${kind}, after ${ms} ms`
      // Again while it starts, unless it is the last time.
      if (!up && number < kills && dice.chance(0.25)) {
        options.say(`${options.name}: ${line}`)
        continue
      }
      const began = cloud.now()
      if (!up) await cloud.start()
      up = true
      cloud.timeline.note('* started')
      const started = `${line}; started in ${(cloud.now() - began).toFixed(0)} ms`
      // At times the next one comes while it still takes up what the last one left.
      if (number < kills && dice.chance(0.2)) options.say(`${options.name}: ${started}`)
      else await chapter.look(started)
    }
    if (!up) await cloud.start()
  }

async function killAtWork({ cloud, dice }: Chapter, kind: Kind, ms: number): Promise<void> {
  await sleep(ms)
  if (kind === 'at work') return cloud.stage.kill()
  const workers = childrenOf(cloud.stage.pid()!).filter(({ command }) => command.includes('cli/worker.ts'))
  const worker = dice.pick(workers)
  if (worker) process.kill(worker.pid, 'SIGKILL')
}

async function killStarting({ cloud }: Chapter, ms: number): Promise<void> {
  // Once: where its forerunner holds its place, there is nothing to kill.
  const started = cloud.stage.up([...cloud.flags]).catch(() => {})
  await sleep(ms)
  await cloud.stage.kill()
  await started
}
