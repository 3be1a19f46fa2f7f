/** The guest's own package manager, whichever its system has. */
import type { ProgramEnd } from '../../../drivers/driver.ts'
import { type Command, type Inside, type Outcome, reasonOf, type Task, type Tool } from './tool.ts'

interface PackageProgram {
  /** IDs of systems that have it. */
  systems: string[]
  /** Fetches the lists of what there is, where that does not happen by itself. */
  refresh?: Command
  install(name: string, version: string | null): Command
  remove(name: string): Command
  query(name: string): Command
  /** What the query printed of a package that is there; undefined: it is not. */
  versionIn(printed: string, name: string): string | undefined
}

const apt = (...args: string[]): Command => ({
  path: 'apt-get',
  // A name that no package has is no pattern. Another run may hold the lock.
  args: [
    ...['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold'],
    ...['-o', 'APT::Cmd::Pattern-Only=true', ...args],
  ],
  env: ['DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
})
const apk = (...args: string[]): Command => ({ path: 'apk', args })
const dnf = (...args: string[]): Command => ({ path: 'dnf', args: ['-y', ...args] })
const zypper = (...args: string[]): Command => ({ path: 'zypper', args: ['--non-interactive', ...args] })

const withVersion = (sign: string) => (name: string, version: string | null) =>
  version === null ? name : `${name}${sign}${version}`
const equal = withVersion('=')
const rpm = {
  query: (name: string): Command => ({ path: 'rpm', args: ['-q', '--qf', '%{VERSION}-%{RELEASE}\\n', name] }),
  versionIn: (printed: string) => printed.trim().split('\n').at(-1) || undefined,
}

const managers: PackageProgram[] = [
  {
    systems: ['debian', 'ubuntu', 'raspbian', 'linuxmint', 'pop', 'kali'],
    refresh: apt('update'),
    install: (name, version) => apt('install', '--allow-downgrades', equal(name, version)),
    remove: name => apt('remove', name),
    query: name => ({ path: 'dpkg-query', args: ['-W', '-f', `\${db:Status-Status} \${Version}\\n`, name] }),
    versionIn: printed => /^installed (\S+)$/m.exec(printed)?.[1],
  },
  {
    systems: ['alpine', 'postmarketos'],
    refresh: apk('update'),
    install: (name, version) => apk('add', '--wait', '300', equal(name, version)),
    remove: name => apk('del', '--wait', '300', name),
    query: name => apk('info', '-e', '-v', name),
    versionIn: (printed, name) => printed.trim().split('\n').at(-1)?.replace(`${name}-`, ''),
  },
  {
    systems: ['fedora', 'rhel', 'centos', 'rocky', 'almalinux', 'ol', 'amzn'],
    install: (name, version) => dnf('install', withVersion('-')(name, version)),
    remove: name => dnf('remove', name),
    ...rpm,
  },
  {
    systems: ['opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'sles', 'sled'],
    install: (name, version) => zypper('install', '--auto-agree-with-licenses', equal(name, version)),
    remove: name => zypper('remove', name),
    ...rpm,
  },
]

/** Works with the manager of the guest's system, or says that none is known. */
async function by(inside: Inside, work: (manager: PackageProgram) => Promise<Outcome>): Promise<Outcome> {
  const manager = managers.find(({ systems }) => systems.includes(inside.system))
  if (manager) return work(manager)
  const known = 'apt-get, apk, dnf and zypper are'
  return { failed: `No package manager is known for the guest's system, ${inside.system}: ${known}.` }
}

const changeMinutes = 15

const run = (inside: Inside, { path, args, env }: Command, minutes = 1): Promise<ProgramEnd> =>
  inside.run(path, args, { minutes, ...(env && { env }) })

/** What a guest says is not yet one. */
const isVersion = /^[\x21-\x7e]{1,128}$/

async function found(inside: Inside, manager: PackageProgram, name: string): Promise<Outcome> {
  const query = manager.query(name)
  const end = await run(inside, query)
  if (end.code === null) return { failed: reasonOf(query.path, end) }
  const version = (end.code === 0 && manager.versionIn(end.output, name)) || null
  return version === null || isVersion.test(version)
    ? { version }
    : { failed: 'What the guest has of it is no version.' }
}

/** What the guest has of a package. */
export const lookedUp = (inside: Inside, name: string): Promise<Outcome> =>
  by(inside, manager => found(inside, manager, name))

/** Whether a version of a package is the one that was asked for: all of it, or without what its packager counts. */
export const isAsked = (has: string, asked: string | null) =>
  asked === null || has === asked || has.startsWith(`${asked}-`)

/** Runs a command unless all is as it is to be; what counts afterwards is what the guest then has. */
async function changed(
  inside: Inside,
  manager: PackageProgram,
  { name, command, isDone }: { name: string; command: Command; isDone: (version: string | null) => boolean },
): Promise<Outcome> {
  const before = await found(inside, manager, name)
  if ('failed' in before || isDone(before.version)) return before
  const end = await run(inside, command, changeMinutes)
  const after = await found(inside, manager, name)
  if ('failed' in after) return after
  if (!isDone(after.version)) return { failed: reasonOf(command.path, end) }
  return { ...after, ...(before.version !== null && { had: before.version }) }
}

export const installed = (inside: Inside, name: string, asked: string | null): Promise<Outcome> =>
  by(inside, manager => {
    const isDone = (version: string | null) => version !== null && isAsked(version, asked)
    return changed(inside, manager, { name, command: manager.install(name, asked), isDone })
  })

const removed = (inside: Inside, name: string): Promise<Outcome> =>
  by(inside, manager => changed(inside, manager, { name, command: manager.remove(name), isDone: has => has === null }))

export const refreshed = (inside: Inside): Promise<Outcome> =>
  by(inside, async ({ refresh }) => {
    if (!refresh) return { version: null }
    const end = await run(inside, refresh, changeMinutes)
    return end.code === 0 ? { version: null } : { failed: reasonOf(refresh.path, end) }
  })

export const packagesTool: Tool = {
  tasks: ({ packages, leaving }) => [
    ...leaving.map((name): Task => ({ event: `remove ${name}`, package: name })),
    ...(packages.length > 0 ? [{ event: 'refresh package lists', optional: true } as const] : []),
    ...packages.map(({ name, version }): Task => ({ event: `install ${name}`, package: name, version })),
  ],
  act(inside, { package: name, version }) {
    if (name === undefined) return refreshed(inside)
    return version === undefined ? removed(inside, name) : installed(inside, name, version)
  },
}
