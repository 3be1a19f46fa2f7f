/** Programs in fake guests: the package manager of their system, Puppet and Chef, as far as the cloud runs them. */
import { type DriveFile, GuestError, type GuestProgram, type ProgramEnd, powerStates } from './driver.ts'
import type { FakeGuest } from './fake.ts'
import { hasAgent, propertiesOf } from './fake-agent.ts'

/** What the agent was told to do with the guest's software, and what came of it. */
export interface FakeSoftware {
  /** Vectors of arguments, in order. */
  ran: string[][]
  /** Versions by name. */
  installed: Record<string, string>
  files: Record<string, string>
  /** Of its root: until somebody lets it grow, that of an image. */
  root_gb: number
  agent_version: string
}

const newest = '1.0'
const sysprep = 'C:\\Windows\\System32\\Sysprep\\sysprep.exe'

/** A guest whose image promises an agent. Its system is what the image says; the name of a package that no repository has begins with `no-such`. */
function withAgent(guest: FakeGuest): FakeSoftware {
  if (!hasAgent(guest)) throw new GuestError('Guest agent is not enabled for the instance')
  if (guest.power_state !== powerStates.running || guest.agentIsDown)
    throw new GuestError('The agent of the guest does not answer.')
  guest.software ??= { ran: [], installed: {}, files: {}, root_gb: 1, agent_version: '1.0' }
  return guest.software
}

export function guestSystem(guest: FakeGuest): string {
  withAgent(guest)
  const { os_distro, os_type } = propertiesOf(guest)
  return os_distro ?? (os_type === 'windows' ? 'mswindows' : 'alpine')
}

export function writeInGuest(guest: FakeGuest, path: string, content: DriveFile, at = 0): void {
  const { files } = withAgent(guest)
  const text = typeof content === 'string' ? content : Buffer.from(content.base64, 'base64').toString('latin1')
  files[path] = (files[path] ?? '').slice(0, at) + text
}

export const agentVersion = (guest: FakeGuest): string => withAgent(guest).agent_version

export function runInGuest(guest: FakeGuest, { path, args }: GuestProgram): ProgramEnd {
  const software = withAgent(guest)
  software.ran.push([path, ...args])
  const own =
    { alpine: ['apk'], debian: ['apt-get', 'dpkg-query'], mswindows: [sysprep, 'msiexec.exe', 'cmd.exe'] }[
      guestSystem(guest)
    ] ?? []
  const brought = Object.keys(software.installed).map(name => (name === 'chef' ? 'chef-client' : name))
  const known = [...own, ...diskPrograms, 'mkdir', 'rm', 'chmod', ...brought, ...Object.keys(software.files)]
  if (!known.includes(path)) return refused(`Failed to execute child process "${path}" (No such file or directory)`)
  // A file that is run, or installed, is one of a build of the agent, and says which.
  const build = software.files[path === 'msiexec.exe' ? args[1]! : path]
  if (build !== undefined) software.agent_version = /^version (\S+)$/m.exec(build)?.[1] ?? software.agent_version
  if (path === 'resize2fs') software.root_gb = guest.disks.root?.size_gb ?? 0
  return (programs[path] ?? done)(software, args)
}

const diskPrograms = ['df', 'growpart', 'resize2fs']

const refused = (errors: string): ProgramEnd => ({ code: null, output: '', errors })
const done = (): ProgramEnd => ({ code: 0, output: '', errors: '' })
const failed = (code: number, errors: string): ProgramEnd => ({ code, output: '', errors })
const says = (output: string): ProgramEnd => ({ code: 0, output, errors: '' })

type Program = (software: FakeSoftware, args: string[]) => ProgramEnd

const programs: Record<string, Program> = {
  apk(software, [verb, ...rest]) {
    const last = rest.at(-1) ?? ''
    if (verb === 'add')
      return install(software, last, name =>
        failed(1, `ERROR: unable to select packages:\n  ${name} (no such package)`),
      )
    if (verb === 'del') delete software.installed[last]
    if (verb !== 'info') return done()
    const version = software.installed[last]
    return version === undefined ? failed(1, '') : says(`${last}-${version}\n`)
  },
  'apt-get'(software, args) {
    const last = args.at(-1) ?? ''
    if (args.includes('install'))
      return install(software, last, name => failed(100, `E: Unable to locate package ${name}`))
    if (args.includes('remove')) delete software.installed[last]
    return done()
  },
  'dpkg-query'({ installed }, args) {
    const version = installed[args.at(-1) ?? '']
    return version === undefined ? failed(1, 'dpkg-query: no packages found') : says(`installed ${version}\n`)
  },
  puppet(software, args) {
    if (args[0] !== 'apply') return says('7.23.0\n')
    const manifest = software.files[args.at(-1) ?? ''] ?? ''
    const [, reason] = /\bfail\('(.*?)'\)/.exec(manifest) ?? []
    if (reason !== undefined) return failed(1, `Error: Evaluation Error: ${reason}`)
    for (const [, name = '', ensure] of manifest.matchAll(/package \{ '(.*?)': ensure => '?([\w.-]+)'? \}/g)) {
      if (ensure === 'absent') delete software.installed[name]
      else install(software, ensure === 'installed' ? name : `${name}=${ensure}`, () => done())
    }
    return { code: 2, output: '', errors: '' }
  },
  'chef-client'(software, args) {
    const { nephos } = JSON.parse(software.files[args.at(-1) ?? ''] ?? '{}') as {
      nephos?: { packages: { name: string }[]; removed: string[] }
    }
    for (const { name } of nephos?.packages ?? []) install(software, name, () => done())
    for (const name of nephos?.removed ?? []) delete software.installed[name]
    return done()
  },
  df: ({ root_gb }) =>
    says(
      `Filesystem Type 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 ext4 ${root_gb * 1024 ** 2} 1 1 1% /\n`,
    ),
  rm({ files }, args) {
    for (const gone of args) for (const file of Object.keys(files)) if (file.startsWith(gone)) delete files[file]
    return done()
  },
  'cmd.exe'({ files }, args) {
    delete files[args.at(-1) ?? '']
    return done()
  },
}

function install({ installed }: FakeSoftware, asked: string, absent: (name: string) => ProgramEnd): ProgramEnd {
  const [name = '', version = newest] = asked.split('=')
  if (name.startsWith('no-such')) return absent(name)
  installed[name] = version
  return done()
}
