/** `conformance tempest`: a cloud, Tempest on it, and a verdict against the list of known failures. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addImage, logIn, startCloud } from '../cloud.ts'
import { keepTraces, tellVerdict } from '../outcome.ts'
import { installSuite, type Suite } from '../python.ts'
import { writeReport } from '../report.ts'
import { keep, keptOf, noteSeen } from '../results.ts'
import { type Result, runSuite, type Workspace, workspaceIn } from '../stestr.ts'
import { buildGuest } from './guest.ts'
import { imageSettingsOf, imageSite } from './image-site.ts'
import { keptLists, onList, patternsOf, realLists } from './lists.ts'
import { configText, formerPasswords, lockout, type Settings, tempestSettings } from './settings.ts'

export interface TempestOptions {
  lists: string[]
  workers: number
  minutes: number
  /** On guests of QEMU and a network of Linux: one host, and tests that log in. */
  real: boolean
  /** Where to leave what helps to find causes. */
  keep?: string | undefined
  /** Puts the results into docs/conformance.md. */
  write: boolean
  say(line: string): void
}

const simulated = { flags: ['--simulated', '--hosts', '3'], hosts: 3 }
const onThisMachine = { flags: ['--virt', 'qemu', '--network', 'linux'], hosts: 1 }

const wanted = {
  requirements: join(import.meta.dirname, 'requirements.txt'),
  module: 'tempest',
  debianPackages: ['python3-tempest'],
}

export const installTempest = (say: (line: string) => void) => installSuite(wanted, say)

/** Gives whether nothing failed that should not, and nothing passed that is listed as failing. */
export async function tempestMode(suite: Suite, options: TempestOptions): Promise<boolean> {
  const { say, lists, real } = options
  const { flags, hosts } = real ? onThisMachine : simulated
  const patterns = lists.flatMap(patternsOf)
  await using site = await imageSite()
  const images = mkdtempSync(join(tmpdir(), 'nephos-conformance-images-'))
  using _images = { [Symbol.dispose]: () => rmSync(images, { recursive: true, force: true }) }
  await using cloud = await startCloud({
    flags,
    settings: {
      identity: {
        lockout_attempts: lockout.attempts,
        lockout_seconds: lockout.seconds,
        unique_last_password_count: formerPasswords,
      },
      image: imageSettingsOf(images),
      // There is no other.
      ...(real && { compute: { allow_resize_to_same_host: true } }),
    },
  })
  const admin = await logIn(cloud)
  const guest = real ? await buildGuest(cloud.dir, say) : undefined
  // Some tests need two images; the newer one is what most guests are made of.
  await addImage(admin, 'second', guest)
  const settings = await tempestSettings(admin, { hosts, imageSite: site.url, ...(guest && { guest }) })
  const workspace = await makeWorkspace(join(cloud.dir, 'tempest'), suite, settings)
  const before = await cloud.answered()
  const found = await runSuite(workspace, {
    ...options,
    patterns,
    // They log in to guests, or ping them.
    ...(!real && { except: '^tempest\\.scenario\\.' }),
    heard: ({ test, outcome, seconds }) => say(`${outcome.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${test}`),
  })
  const results = real ? found.map(result => ({ ...result, test: `real.${result.test}` })) : found
  if (options.keep) keepTraces(options.keep, workspace.folder, ['tempest.log', 'tempest.conf'], results, cloud.log())
  if (options.write) {
    keepResults(wholeLists(lists, real), suite.version, results)
    noteSeen('tempest', before, await cloud.answered())
    writeReport()
  }
  return tellVerdict(results, say)
}

async function makeWorkspace(folder: string, suite: Suite, settings: Settings): Promise<Workspace> {
  mkdirSync(join(folder, 'locks'), { recursive: true })
  writeFileSync(join(folder, 'tempest.conf'), configText(settings), { mode: 0o600 })
  return workspaceIn(folder, suite, {
    tests: join(suite.home, 'test_discover'),
    top: join(suite.home, '..'),
    prefix: 'tempest.',
    env: { TEMPEST_CONFIG_DIR: folder, TEMPEST_CONFIG: 'tempest.conf' },
  })
}

/** Only whole lists are kept: a part of one says nothing about the rest. */
function wholeLists(lists: string[], real: boolean): string[] {
  const kept = keptLists.filter(list => realLists.includes(list) === real)
  return lists.includes('all') ? kept : kept.filter(list => lists.includes(list))
}

function keepResults(lists: string[], version: string, results: Result[]) {
  for (const list of lists) {
    const isOn = onList(list)
    const found = results.filter(result => isOn(result.id))
    if (found.length > 0) keep(list, keptOf(version, found))
  }
}
