/** Builds the tiny guest image from Debian packages: no root, nothing mounted, nothing installed but qemu-img. Kept in a cache. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { systemClock } from '#kernel/clock.ts'
import { cpioArchive } from './tiny/cpio.ts'
import { makeBootDisk, makeExt4, toQcow2 } from './tiny/disk.ts'
import { kernelElf } from './tiny/kernel.ts'
import {
  type Apt,
  dependencyOf,
  fetchPackages,
  openApt,
  type Package,
  resolvePackages,
  unpack,
} from './tiny/packages.ts'
import { type RunOptions, run, runUnpacked } from './tiny/programs.ts'
import { guestPackages, kernelArguments, kernelPackage, toolPackages } from './tiny/recipe.ts'
import { makeBoot, makeRoot } from './tiny/tree.ts'

export interface TinyImage {
  /** Digest of everything the image is made of. */
  key: string
  /** The bootable disk (BIOS), qcow2. */
  disk: string
  /** For direct boot: an uncompressed kernel, its initramfs, and the root file system without partitions, qcow2. */
  kernel: string
  ramdisk: string
  root: string
  /** Kernel arguments for direct boot. */
  kernelArguments: string
}

export interface TinyOptions {
  /** Where to copy the files; they are in the cache anyway. */
  out?: string | undefined
  /** True (the default): ask apt for the newest packages. False: an image of the cache will do, when it was built by this version of Nephos. */
  refresh?: boolean
  /** Told what is going on, a line at a time. */
  log?: (line: string) => void
  signal?: AbortSignal
  /** Default: `$XDG_CACHE_HOME/nephos` or `~/.cache/nephos`. */
  cache?: string
}

const fileNames = { disk: 'tiny.qcow2', kernel: 'vmlinux', ramdisk: 'boot.cpio', root: 'root.ext4.qcow2' } as const

export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nephos')
}

/** The image in the cache that this version of Nephos built, if there is one. */
export function keptTinyImage(cache = cacheFolder()): TinyImage | undefined {
  const images = join(cache, 'tiny')
  const folder = existsSync(images) ? keptImage(images, recipeDigest()) : undefined
  return folder ? imageIn(folder, folder.slice(folder.lastIndexOf('-') + 1)) : undefined
}

/** Builds the image, or takes it from the cache. Takes 10 to 20 seconds and 30 MB of packages the first time. */
export async function buildTinyImage(options: TinyOptions = {}): Promise<TinyImage> {
  const { log = () => {}, cache = cacheFolder(), refresh = true } = options
  const running: RunOptions = options.signal ? { signal: options.signal } : {}
  const images = join(cache, 'tiny')
  await mkdir(images, { recursive: true })
  const recipe = recipeDigest()
  const kept = keptImage(images, recipe)
  if (kept && !refresh) return finish(kept, options)
  if (process.arch !== 'x64') {
    throw new Error('the tiny image is built on x86-64 only so far; upload an image of your own instead')
  }
  const scratch = await mkdtemp(join(images, 'build-'))
  try {
    const plan = await planPackages(cache, scratch, log, running).catch(error => {
      if (!kept) throw error
      log(`cannot ask for newer packages, so the image built before is used (${error.message})`)
    })
    if (!plan) return await finish(kept!, options)
    const key = digest([recipe, ...plan.packages.map(one => one.sha256)])
    const folder = join(images, `${recipe}-${key}`)
    if (!existsSync(folder)) {
      await build(plan, { cache, scratch, log, running })
      await rename(join(scratch, 'out'), folder).catch(error => {
        if (!existsSync(folder)) throw error // another build was faster
      })
      await forgetOthers(images, folder)
    }
    return await finish(folder, options)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const digest = (parts: string[]) => createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)

/** Of every file that has a part in the result. */
function recipeDigest(): string {
  const folder = join(import.meta.dirname, 'tiny')
  const names = (readdirSync(folder, { recursive: true }) as string[]).sort().map(name => join('tiny', name))
  const parts = ['image-build.ts', ...names].flatMap(name => {
    const path = join(import.meta.dirname, name)
    return name.endsWith('.test.ts') || statSync(path).isDirectory() ? [] : [name, readFileSync(path, 'latin1')]
  })
  return digest(parts)
}

function keptImage(images: string, recipe: string): string | undefined {
  const name = readdirSync(images).find(entry => entry.startsWith(`${recipe}-`))
  return name && join(images, name)
}

const hour = 3_600_000

/** Older results, and what builds that were killed have left. Builds that may be running stay, and results that another version here may still want. */
export async function forgetOthers(images: string, keep: string, now = systemClock().now()) {
  for (const entry of readdirSync(images)) {
    const path = join(images, entry)
    const kept = entry.startsWith('build-') ? hour : 24 * hour
    if (path !== keep && statSync(path).mtimeMs < now - kept) await rm(path, { recursive: true, force: true })
  }
}

async function finish(folder: string, { out, log = () => {} }: TinyOptions): Promise<TinyImage> {
  const place = out ?? folder
  if (out) {
    await mkdir(out, { recursive: true })
    for (const name of Object.values(fileNames)) await copyFile(join(folder, name), join(out, name))
  }
  log(`the tiny image is ${join(place, fileNames.disk)}`)
  return imageIn(place, folder.slice(folder.lastIndexOf('-') + 1))
}

function imageIn(place: string, key: string): TinyImage {
  return {
    key,
    disk: join(place, fileNames.disk),
    kernel: join(place, fileNames.kernel),
    ramdisk: join(place, fileNames.ramdisk),
    root: join(place, fileNames.root),
    kernelArguments,
  }
}

interface Plan {
  apt: Apt
  kernel: Package
  packages: Package[]
}

async function planPackages(
  cache: string,
  scratch: string,
  log: (line: string) => void,
  running: RunOptions,
): Promise<Plan> {
  const apt = await openApt(cache, kernelPackage.name, log, running)
  const kernelName = await dependencyOf(apt, kernelPackage.name, kernelPackage.prefix)
  const packages = await resolvePackages(apt, [kernelName, ...guestPackages, ...toolPackages], scratch)
  const kernel = packages.find(one => one.file.startsWith(`${kernelName}_`))
  if (!kernel) throw new Error(`apt does not say where ${kernelName} is`)
  return { apt, kernel, packages }
}

interface Workshop {
  cache: string
  scratch: string
  log: (line: string) => void
  running: RunOptions
}

async function build(plan: Plan, { cache, scratch, log, running }: Workshop): Promise<void> {
  const place = (name: string) => join(scratch, name)
  const debs = join(cache, 'debs')
  await mkdir(debs, { recursive: true })
  await fetchPackages(plan.apt, plan.packages, debs, scratch, log, running)

  log('unpacking')
  const from = { packages: place('packages'), kernel: place('kernel') }
  const programs = plan.packages.filter(one => one !== plan.kernel).map(one => join(debs, one.file))
  await unpack(programs, from.packages, running)
  await unpack([join(debs, plan.kernel.file)], from.kernel, running)
  // Newer kernel packages have their modules compressed.
  await run('find', [from.kernel, '-name', '*.ko.xz', '-exec', 'xz', '-d', '{}', '+'], running)

  log('laying out the guest')
  await makeRoot(from, place('root'), running)
  await makeBoot(from, place('boot'), running)
  const boot = cpioArchive(place('boot'))
  const bootFolder = readdirSync(join(from.kernel, 'boot')).find(name => name.startsWith('vmlinuz-'))
  if (!bootFolder) throw new Error('the kernel package has no kernel')
  const kernel = join(from.kernel, 'boot', bootFolder)
  const lz4 = (payload: Buffer) => runUnpacked(from.packages, 'usr/bin/lz4', ['-dc'], { ...running, input: payload })

  log('writing the disks')
  await mkdir(place('out'))
  await writeFile(join(place('out'), fileNames.kernel), await kernelElf(await readFile(kernel), lz4))
  await writeFile(join(place('out'), fileNames.ramdisk), boot)
  await makeExt4(from.packages, place('root'), place('root.ext4'), running)
  const parts = { kernel, boot: gzipSync(boot, { level: 9 }), root: place('root.ext4') }
  await makeBootDisk(from.packages, parts, scratch, place('disk'), running)
  await toQcow2(place('root.ext4'), join(place('out'), fileNames.root), running)
  await toQcow2(place('disk'), join(place('out'), fileNames.disk), running)
}

/** The command `nephos image build`. */
export async function imageBuild({ out }: { out: string | undefined }): Promise<number> {
  const clock = systemClock()
  const start = clock.monotonic()
  const log = (line: string) => console.log(`${((clock.monotonic() - start) / 1000).toFixed(1).padStart(5)} s  ${line}`)
  const image = await buildTinyImage({ out, log })
  console.log(`
disk image:    ${image.disk}
direct boot:   ${image.kernel}
               ${image.ramdisk}
               ${image.root}
  arguments:   ${image.kernelArguments}

To give it to a cloud:
  openstack image create --public --disk-format qcow2 --container-format bare --file ${image.disk} tiny`)
  return 0
}
