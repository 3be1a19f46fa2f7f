/** `nephos doctor`: what this machine can do, what is missing, and the command that adds it. Changes nothing. */
import { existsSync } from 'node:fs'
import { access, constants, mkdtemp, readFile, rm, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { availableParallelism, freemem, machine, release, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '#kernel/clock.ts'
import { messageOf } from '#kernel/errors.ts'
import { silentLog } from '#kernel/log.ts'
import { findProgram, installCommand, type Need, needsOf } from './debian-packages.ts'
import { keptTinyImage } from './image-build.ts'

export interface Finding {
  name: string
  /** `warning`: works, not well; `missing`: real guests or their networks do not work. */
  status: 'ok' | 'warning' | 'missing'
  found: string
  /** What to do, when there is something to do. */
  remedy?: string
}

export interface DoctorOptions {
  data: string
  host: string
  port: number
  json: boolean
}

/** Everything that matters to `nephos up`, in the order in which to put it right. */
export async function examine({ data, host, port }: Omit<DoctorOptions, 'json'>): Promise<Finding[]> {
  const root = process.getuid?.() === 0
  return [
    await system(),
    root
      ? { name: 'root', status: 'ok', found: 'yes' }
      : {
          name: 'root',
          status: 'missing',
          found: 'no: networks for guests need it',
          remedy: 'sudo ./nephos up   (or, with nothing real: ./nephos up --simulated)',
        },
    processors(),
    memory(),
    await disk(data),
    await portFinding(host, port),
    ...tools(),
    await tun(),
    await emulation(),
    await planeFinding(root),
    tinyImage(),
  ]
}

async function system(): Promise<Finding> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? process.platform
  const found = `${name}, kernel ${release()}, ${machine()}, Node ${process.versions.node}`
  if (process.platform !== 'linux') {
    return { name: 'system', status: 'missing', found, remedy: 'real guests need Linux; here: nephos up --simulated' }
  }
  return { name: 'system', status: 'ok', found }
}

function processors(): Finding {
  return { name: 'processors', status: 'ok', found: String(availableParallelism()) }
}

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`

function memory(): Finding {
  const found = `${gigabytes(totalmem())}, ${gigabytes(freemem())} of it unused`
  if (totalmem() >= 2 ** 30) return { name: 'memory', status: 'ok', found }
  return { name: 'memory', status: 'warning', found, remedy: 'give the machine 1 GiB or more: a small guest takes 0.2' }
}

async function disk(data: string): Promise<Finding> {
  let folder = data
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  const found = `${gigabytes(bavail * bsize)} free for ${data}`
  if (bavail * bsize >= 2 * 2 ** 30) return { name: 'disk', status: 'ok', found }
  return { name: 'disk', status: 'warning', found, remedy: 'free some space, or keep the data elsewhere: --data DIR' }
}

function portFinding(host: string, port: number): Promise<Finding> {
  const name = `port ${port}`
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', error => {
      const found = 'code' in error && error.code === 'EADDRINUSE' ? `in use on ${host}` : messageOf(error)
      const remedy = 'stop what listens there (it may be a Nephos: nephos status), or choose another: --port N'
      resolve({ name, status: 'warning', found, remedy })
    })
    server.listen(port, host, () => server.close(() => resolve({ name, status: 'ok', found: `free on ${host}` })))
  })
}

function tools(): Finding[] {
  const needs = needsOf({ virt: 'qemu', network: 'linux' })
  const missing = needs.filter(need => !findProgram(need.program))
  return needs.map(need => toolFinding(need, missing))
}

function toolFinding(need: Need, missing: Need[]): Finding {
  const path = findProgram(need.program)
  if (path) return { name: need.program, status: 'ok', found: path }
  const remedy = findProgram('apt-get') ? installCommand(missing) : `install ${need.program} (Debian: ${need.package})`
  return { name: need.program, status: 'missing', found: `not installed: ${need.why}`, remedy }
}

async function tun(): Promise<Finding> {
  const name = '/dev/net/tun'
  if (existsSync(name)) return { name, status: 'ok', found: 'there' }
  return { name, status: 'missing', found: 'not there: guests get no network', remedy: 'modprobe tun' }
}

/** Boots a kernel on KVM, as the QEMU driver does before it trusts it. */
async function emulation(): Promise<Finding> {
  const name = 'KVM'
  const qemu = findProgram(process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64')
  if (!qemu) return { name, status: 'warning', found: 'not tried: there is no QEMU yet' }
  const readable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (existsSync('/dev/kvm') && !readable) {
    return { name, status: 'warning', found: '/dev/kvm is not open to you', remedy: 'usermod -aG kvm USER, or be root' }
  }
  const { chooseAccel } = await import('../services/compute/drivers/qemu/accel.ts')
  const { qemuVersion } = await import('../services/compute/drivers/qemu/facts.ts')
  const dir = await mkdtemp(join(tmpdir(), 'nephos-doctor-'))
  try {
    const places = { dir, images: join(dir, 'images'), instances: join(dir, 'instances') }
    const host = { ...places, qemu, log: silentLog(), clock: systemClock(), user: undefined }
    const version = (await qemuVersion(host)).text
    const kernel = keptTinyImage()?.kernel
    const { accel, reason } = await chooseAccel(host, 'auto', version, kernel)
    if (accel === 'kvm') return { name, status: 'ok', found: `works (${reason}); QEMU ${version}` }
    const untried = existsSync('/dev/kvm') && !kernel
    const remedy = untried
      ? './nephos image build   (it brings a kernel to try with), then ask again'
      : 'guests are emulated: they work, several times slower. On hardware, or where nesting is allowed: modprobe kvm_intel (or kvm_amd)'
    return { name, status: 'warning', found: `not used: ${reason}; QEMU ${version}`, remedy }
  } catch (error) {
    return { name, status: 'warning', found: `could not be tried: ${messageOf(error)}` }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Asks the data plane to try each kernel feature that it uses, in a namespace of its own. */
async function planeFinding(root: boolean): Promise<Finding> {
  const name = 'data plane'
  if (!root) return { name, status: 'warning', found: 'not tried: needs root', remedy: 'sudo ./nephos doctor' }
  const { probe } = await import('../services/network/drivers/linux/probe.ts')
  const { problems } = await probe({ dir: '/run' })
  // Tools and the device have findings of their own.
  const real = problems.filter(text => !/ is missing; install it|^\/dev\/net\/tun/.test(text))
  if (real.length === 0) return { name, status: 'ok', found: 'every kernel feature it needs works' }
  return { name, status: 'missing', found: real.join('; '), remedy: 'the commands just said, or --network fake' }
}

function tinyImage(): Finding {
  const name = 'tiny image'
  const kept = keptTinyImage()
  if (kept) return { name, status: 'ok', found: kept.disk }
  const found = 'not built yet: up builds it (30 MB of Debian packages, about 20 s)'
  if (process.arch === 'x64' && findProgram('apt-get')) return { name, status: 'ok', found }
  return {
    name,
    status: 'warning',
    found: 'cannot be built here: that takes x86-64 and Debian',
    remedy: 'upload an image: openstack image create --file FILE --disk-format qcow2 NAME',
  }
}

/** The command: prints the findings; 0 when a cloud with real guests can run here, else 1. */
export async function doctor({ json, ...options }: DoctorOptions): Promise<number> {
  const findings = await examine(options)
  const missing = findings.filter(finding => finding.status === 'missing')
  if (json) console.log(JSON.stringify({ real_guests: missing.length === 0, findings }, null, 2))
  else print(findings, missing.length)
  return missing.length === 0 ? 0 : 1
}

function print(findings: Finding[], missing: number) {
  const signs = { ok: 'ok     ', warning: 'note   ', missing: 'MISSING' }
  const width = Math.max(...findings.map(finding => finding.name.length))
  const told = new Set<string>()
  for (const { name, status, found, remedy } of findings) {
    console.log(`${signs[status]} ${name.padEnd(width)}  ${found}`)
    if (remedy && !told.has(remedy)) console.log(`${' '.repeat(8 + width)}  -> ${remedy}`)
    if (remedy) told.add(remedy)
  }
  console.log(
    missing === 0
      ? '\nA cloud with real guests can run here: ./nephos up'
      : `\n${missing} missing for real guests with networks (up installs Debian packages by itself). Without them: ./nephos up --simulated`,
  )
}
