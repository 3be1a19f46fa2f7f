/** `conformance tempest`: a cloud, Tempest on it, and a verdict against the list of known failures. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { natsBinary, startNats, stopNats } from '../../../src/kernel/bus/fixtures/nats-server.ts'
import { type Admin, addImage, logIn, startCloud, startNode } from '../cloud.ts'
import { keepTraces, tellVerdict } from '../outcome.ts'
import { installSuite, type Suite } from '../python.ts'
import { writeReport } from '../report.ts'
import { keep, keepReal, keptOf, noteSeen } from '../results.ts'
import { type Result, runSuite, type Workspace, workspaceIn } from '../stestr.ts'
import { makeFormatImages } from './format-images.ts'
import { buildGuest } from './guest.ts'
import { imageSettingsOf, imageSite } from './image-site.ts'
import { registerLimits } from './limits.ts'
import { betweenNodes, disturbing, onList, patternsOf, simulatedLists } from './lists.ts'
import { configText, formerPasswords, lockout, region, type Settings, tempestSettings } from './settings.ts'

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
  // The quotas of api.compute's tests are not those.
  const unifiedLimits = real && lists.every(list => /^scenario\b/.test(list))
  await using site = await imageSite()
  const images = mkdtempSync(join(tmpdir(), 'nephos-conformance-images-'))
  using _images = { [Symbol.dispose]: () => rmSync(images, { recursive: true, force: true }) }
  const wantsNode = lists.some(list => onList(list)(betweenNodes))
  if (wantsNode && !natsBinary) say('nats-server is not installed: no second node serves images')
  await using nats = wantsNode && natsBinary ? await natsServer(images) : undefined
  await using cloud = await startCloud({
    flags,
    settings: {
      ...(nats && { cloud: { nats_url: nats.url, bus_key: 'between-the-nodes-of-one-conformance-run' } }),
      identity: {
        lockout_attempts: lockout.attempts,
        lockout_seconds: lockout.seconds,
        unique_last_password_count: formerPasswords,
      },
      image: imageSettingsOf(images),
      // There is no other host; and a guest that still boots hears nothing of being told to shut down.
      ...(real && {
        compute: {
          ...{ allow_resize_to_same_host: true, stop_grace_seconds: 15 },
          ...(unifiedLimits && { quota_driver: 'unified_limits' }),
        },
      }),
    },
  })
  const admin = await logIn(cloud)
  await using node = nats && (await startNode(cloud, 'second'))
  const otherImageService = node && (await registerNode(admin, node.url))
  const formatImages = hasQemuImg() ? makeFormatImages(join(images, 'formats')) : undefined
  if (unifiedLimits) await registerLimits(admin, region)
  const guest = real ? await buildGuest(cloud.dir, say) : undefined
  // Some tests need two images; the newer one is what most guests are made of.
  await addImage(admin, 'second', guest)
  const settings = await tempestSettings(admin, {
    ...{ hosts, imageSite: site.url, unifiedLimits },
    ...(guest && { guest }),
    ...(formatImages && { formatImages }),
    ...(otherImageService && { otherImageService }),
  })
  const workspace = await makeWorkspace(join(cloud.dir, 'tempest'), suite, settings)
  const before = await cloud.answered()
  const heard = ({ test, outcome, seconds }: Result) =>
    say(`${outcome.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${test}`)
  const found: Result[] = []
  for (const part of real ? partsOnGuests(lists) : [{ patterns, except: loggingIn }]) {
    found.push(...(await runSuite(workspace, { ...options, ...part, heard })))
  }
  if (found.length === 0) throw new Error(`there is no test like ${patterns[0]}`)
  const results = real ? found.map(result => ({ ...result, test: `real.${result.test}` })) : found
  if (options.keep) keepTraces(options.keep, workspace.folder, ['tempest.log', 'tempest.conf'], results, cloud.log())
  if (options.write) {
    if (real) keepReal(suite.version, found)
    else keepResults(wholeLists(lists), suite.version, results)
    noteSeen('tempest', before, await cloud.answered())
    writeReport()
  }
  return tellVerdict(results, say)
}

const hasQemuImg = () => spawnSync('qemu-img', ['--version']).error === undefined

async function natsServer(folder: string) {
  const { child, port } = await startNats(folder)
  return { url: `nats://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => stopNats(child) }
}

/** Puts the image service of a second node into the catalog; returns its type there. */
async function registerNode(admin: Admin, url: string): Promise<string> {
  const type = 'image_remote'
  const made = await admin.post<{ service: { id: string } }>('identity', '/services', {
    service: { type, name: 'glance-remote' },
  })
  const endpoint = { service_id: made.service.id, interface: 'public', region_id: region, url: `${url}/image` }
  await admin.post('identity', '/endpoints', { endpoint })
  return type
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

/** Tests that log in to guests, or ping them. */
const loggingIn = '^tempest\\.scenario\\.'

function partsOnGuests(lists: string[]) {
  const asked = lists.some(list => onList(list)(disturbing))
  const alone = { patterns: [`^${disturbing}\\b`] }
  return [{ patterns: lists.flatMap(patternsOf), except: disturbing }, ...(asked ? [alone] : [])]
}

/** Only whole lists are kept: a part of one says nothing about the rest. */
function wholeLists(lists: string[]): string[] {
  return lists.includes('all') ? simulatedLists : simulatedLists.filter(list => lists.includes(list))
}

function keepResults(lists: string[], version: string, results: Result[]) {
  for (const list of lists) {
    const isOn = onList(list)
    const found = results.filter(result => isOn(result.id))
    if (found.length > 0) keep(list, keptOf(version, found))
  }
}
