/** What deleted servers may not leave on a host. */
import assert from 'node:assert/strict'
import type { Stage } from './stage.ts'

/** What a deleted server may not leave behind on the host. */
export async function leftovers(stage: Stage): Promise<string[]> {
  const plane = (await stage.namespaces()).find(name => name.endsWith('-dp'))!
  const links = (await stage.run('ip', ['-n', plane, '-o', 'link'])).out
  const rules = (await stage.run('ip', ['netns', 'exec', plane, 'nft', 'list', 'ruleset'])).out
  assert.match(links, /\blo\b/)
  return [
    ...stage.guests().map(pid => `qemu ${pid}`),
    ...[...links.matchAll(/\btap[0-9a-f-]{11}/g)].map(m => `link ${m[0]}`),
    ...[...rules.matchAll(/\btap[0-9a-f-]{11}/g)].map(m => `rule for ${m[0]}`),
    ...stage.guestFolders().map(name => `folder ${name}`),
  ]
}
