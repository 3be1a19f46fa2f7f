/** What a host carries for its guests, and what of it deleted servers have left. */
import assert from 'node:assert/strict'
import { processesOf, type Stage } from './stage.ts'

export interface Carried {
  guests: { pid: number; server: string }[]
  /** Network devices of guests. */
  taps: string[]
  /** Those that the packet filter has rules for. */
  filtered: string[]
  /** Of guests, in the data directory. */
  folders: string[]
}

export async function carriedBy(stage: Stage): Promise<Carried> {
  const plane = (await stage.namespaces()).find(name => name.endsWith('-dp'))!
  const links = (await stage.run('ip', ['-n', plane, '-o', 'link'])).out
  const rules = (await stage.run('ip', ['netns', 'exec', plane, 'nft', 'list', 'ruleset'])).out
  assert.match(links, /\blo\b/)
  const tapsIn = (text: string) => [...new Set([...text.matchAll(/\btap[0-9a-f-]{11}/g)].map(([name]) => name))]
  const guests = stage.guests()
  return {
    guests: processesOf(stage.dir).flatMap(({ pid, command }) => {
      const server = /-uuid ([0-9a-f-]{36})/.exec(command)?.[1]
      return guests.includes(pid) ? [{ pid, server: server ?? '' }] : []
    }),
    taps: tapsIn(links),
    filtered: tapsIn(rules),
    folders: stage.guestFolders(),
  }
}

/** What a deleted server may not leave behind on the host. */
export async function leftovers(stage: Stage): Promise<string[]> {
  const { guests, taps, filtered, folders } = await carriedBy(stage)
  return [
    ...guests.map(({ pid }) => `qemu ${pid}`),
    ...taps.map(name => `link ${name}`),
    ...filtered.map(name => `rule for ${name}`),
    ...folders.map(name => `folder ${name}`),
  ]
}
