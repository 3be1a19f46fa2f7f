/** `conformance tempest`: a cloud, Tempest on it, and a verdict against the list of known failures. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addSecondImage, logIn, startCloud } from '../cloud.ts'
import { judge, knownFailures } from '../known-failures.ts'
import { writeReport } from '../report.ts'
import { keep, keptOf, noteSeen } from '../results.ts'
import { imageSettingsOf, imageSite } from './image-site.ts'
import type { Tempest } from './install.ts'
import { keptLists, onList, patternsOf } from './lists.ts'
import { lockout, tempestSettings } from './settings.ts'
import { makeWorkspace, type Result, runTempest } from './tempest.ts'

export interface TempestOptions {
  lists: string[]
  workers: number
  minutes: number
  /** Where to leave what helps to find causes. */
  keep?: string | undefined
  /** Puts the results into docs/conformance.md. */
  write: boolean
  say(line: string): void
}

const hosts = 3

/** Gives whether nothing failed that should not, and nothing passed that is listed as failing. */
export async function tempestMode(tempest: Tempest, options: TempestOptions): Promise<boolean> {
  const { say } = options
  const patterns = options.lists.flatMap(patternsOf)
  await using site = await imageSite()
  const images = mkdtempSync(join(tmpdir(), 'nephos-conformance-images-'))
  using _images = { [Symbol.dispose]: () => rmSync(images, { recursive: true, force: true }) }
  await using cloud = await startCloud({
    flags: ['--simulated', '--hosts', String(hosts)],
    settings: {
      identity: { lockout_attempts: lockout.attempts, lockout_seconds: lockout.seconds },
      image: imageSettingsOf(images),
    },
  })
  const admin = await logIn(cloud)
  await addSecondImage(admin)
  const settings = await tempestSettings(admin, { hosts, real: false, imageSite: site.url })
  const folder = await makeWorkspace(join(cloud.dir, 'tempest'), tempest, settings)
  const results = await runTempest(tempest, folder, {
    ...options,
    patterns,
    // They log in to guests, or ping them.
    except: '^tempest\\.scenario\\.',
    heard: ({ test, outcome, seconds }) => say(`${outcome.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${test}`),
  })
  if (options.keep) keepTraces(options.keep, folder, results, cloud.log())
  if (options.write) {
    keepResults(options.lists, tempest.version, results)
    noteSeen('tempest', (await cloud.answered()).keys())
    writeReport()
  }
  return tellVerdict(results, say)
}

/** Only whole lists are kept: a part of one says nothing about the rest. */
function keepResults(lists: string[], version: string, results: Result[]) {
  const whole = lists.includes('all') ? keptLists : keptLists.filter(list => lists.includes(list))
  for (const list of whole) {
    const isOn = onList(list)
    keep(
      list,
      keptOf(
        version,
        results.filter(result => isOn(result.id)),
      ),
    )
  }
}

function keepTraces(to: string, folder: string, results: Result[], cloudLog: string) {
  mkdirSync(to, { recursive: true })
  cpSync(join(folder, 'tempest.log'), join(to, 'tempest.log'))
  cpSync(join(folder, 'tempest.conf'), join(to, 'tempest.conf'))
  writeFileSync(join(to, 'nephos.log'), cloudLog)
  writeFileSync(join(to, 'results.json'), JSON.stringify(results, null, 1))
  const failed = results.filter(result => result.outcome === 'failed')
  writeFileSync(join(to, 'failures.txt'), failed.map(({ test, text }) => `=== ${test}\n${text}\n`).join('\n'))
}

function tellVerdict(results: Result[], say: (line: string) => void): boolean {
  const known = knownFailures()
  const { unexpected, mended } = judge(results, known)
  for (const test of unexpected) say(`NEW FAILURE  ${test}`)
  for (const test of mended) say(`MENDED  ${test}: take it out of known-failures.txt`)
  const count = (outcome: string) => results.filter(result => result.outcome === outcome).length
  say(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`)
  return unexpected.length === 0 && mended.length === 0
}
