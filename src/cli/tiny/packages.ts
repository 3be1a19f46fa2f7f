/** Gets Debian packages with apt, without installing them and without root, and unpacks them. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunOptions, run } from './programs.ts'

export interface Package {
  file: string
  sha256: string
  size: number
}

/** apt as it is to be called: with the machine's own package lists, or with lists of our own where it has none. */
export interface Apt {
  words: string[]
}

/** Finds an apt that knows `probe`: the machine's, else one with lists fetched into `cache` now. */
export async function openApt(cache: string, probe: string, log: (line: string) => void, options: RunOptions) {
  const base = ['-o', 'APT::Sandbox::User=', '-o', 'Debug::NoLocking=1', '-o', 'Acquire::Retries=3']
  const system: Apt = { words: base }
  if (await knows(system, probe)) return system
  const lists = join(cache, 'apt/lists')
  const own: Apt = {
    words: [...base, '-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${join(cache, 'apt/cache')}`],
  }
  await mkdir(join(lists, 'partial'), { recursive: true })
  await mkdir(join(cache, 'apt/cache/archives/partial'), { recursive: true })
  log('fetching the lists of Debian packages')
  await run('apt-get', [...own.words, 'update'], options)
  if (await knows(own, probe)) return own
  throw new Error(`no package ${probe} here: the tiny image is built from Debian's packages, on Debian`)
}

async function knows(apt: Apt, name: string): Promise<boolean> {
  const answer = await run('apt-cache', [...apt.words, 'show', '--no-all-versions', name]).catch(() => undefined)
  return answer !== undefined && answer.length > 0
}

/** The first package among the dependencies of `name` whose name begins with `prefix`. */
export async function dependencyOf(apt: Apt, name: string, prefix: string): Promise<string> {
  const lines = (await run('apt-cache', [...apt.words, 'depends', name])).toString().split('\n')
  const found = lines.map(line => /^ +Depends: (\S+)/.exec(line)?.[1]).find(word => word?.startsWith(prefix))
  if (!found) throw new Error(`package ${name} does not depend on any ${prefix}...`)
  return found
}

/** What `names` are in the newest version that apt knows. `empty` is a folder without packages: apt skips those it finds. */
export async function resolvePackages(apt: Apt, names: string[], empty: string): Promise<Package[]> {
  const answer = await run('apt-get', [...apt.words, 'download', '--print-uris', ...names], { cwd: empty })
  const packages: Package[] = []
  for (const line of answer.toString().split('\n')) {
    const match = /^'[^']+' (\S+) (\d+) SHA256:([0-9a-f]{64})/.exec(line)
    if (match) packages.push({ file: match[1]!, size: Number(match[2]), sha256: match[3]! })
  }
  if (packages.length !== new Set(names).size) {
    throw new Error(`apt knows ${packages.length} of these packages only: ${names.join(' ')}`)
  }
  return packages
}

/** Makes sure that `folder` has the packages; those that are there with the right content are not fetched again. */
export async function fetchPackages(
  apt: Apt,
  packages: Package[],
  folder: string,
  scratch: string,
  log: (line: string) => void,
  options: RunOptions,
): Promise<void> {
  const wanted: Package[] = []
  for (const one of packages) {
    if (!(await isWhole(join(folder, one.file), one))) wanted.push(one)
  }
  if (wanted.length === 0) return
  const megabytes = Math.ceil(wanted.reduce((sum, one) => sum + one.size, 0) / 1e6)
  log(`fetching ${wanted.length} Debian packages, ${megabytes} MB`)
  // One file a call: apt's own names for them are `name=version`, which the file's name gives.
  const names = wanted.map(one => {
    const [name, version] = one.file.split('_')
    return `${name}=${decodeURIComponent(version ?? '')}`
  })
  await run('apt-get', [...apt.words, '-q', 'download', ...names], { ...options, cwd: scratch })
  for (const one of wanted) {
    if (!(await isWhole(join(scratch, one.file), one)))
      throw new Error(`${one.file} did not arrive as apt announced it`)
    await rename(join(scratch, one.file), join(folder, one.file))
  }
}

async function isWhole(path: string, expected: Package): Promise<boolean> {
  if (!existsSync(path)) return false
  return (
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex') === expected.sha256
  )
}

/** Unpacks package files into `folder`. */
export async function unpack(files: string[], folder: string, options: RunOptions): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const file of files) await run('dpkg-deb', ['-x', file, folder], options)
}
