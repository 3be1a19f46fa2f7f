/** Brings the agent in a guest, and the drivers that come with it, up to a build: its file goes in through the agent's own channel, and runs there. */
import { isOlder } from '../../agent-builds/agent-build.ts'
import { reasonOf, type WholeInside } from '../software/tools/tool.ts'

/** A build with its file, as it was checked. */
export interface FetchedBuild {
  os: string
  version: string
  bytes: Buffer
}

/** With the version that it is of afterwards, as far as it is known. */
export type Updated = { version: string } | { failed: string; version?: string }

type Vector = [path: string, args: string[]]

/** How a build's file is handled in a guest. */
interface Form {
  file: string
  /** Before the file is there, and when it is. */
  before: Vector[]
  after: Vector[]
  install: Vector
  remove: Vector
}

const unixFolder = '/var/lib/nephos-agent'
const unixFile = `${unixFolder}/update`

/** A program, which only root sees. */
const unix: Form = {
  file: unixFile,
  before: [['mkdir', ['-p', '-m', '700', unixFolder]]],
  after: [['chmod', ['700', unixFile]]],
  install: [unixFile, []],
  remove: ['rm', ['-rf', unixFolder]],
}

/** Where only administrators write: whoever has made a file in a folder that all may write to could change what is installed. */
const windowsFile = 'C:\\Windows\\nephos-agent.msi'

/** A package of the system's own installer. */
const windows: Form = {
  file: windowsFile,
  before: [],
  after: [],
  install: ['msiexec.exe', ['/i', windowsFile, '/qn', '/norestart']],
  remove: ['cmd.exe', ['/d', '/c', 'del', '/q', windowsFile]],
}

const installMinutes = 15
/** The agent may be replaced after the program has ended, and begins anew then. */
const patienceMs = 2 * 60_000
const betweenMs = 5_000

/** What counts is what the agent says that it is afterwards, not how the program ended: replaced, it does not hear of that. */
export async function updateAgent(inside: WholeInside, { os, version, bytes }: FetchedBuild): Promise<Updated> {
  const form = os === 'windows' ? windows : unix
  for (const program of form.before) await inside.run(...program)
  await inside.put(form.file, bytes)
  for (const program of form.after) await inside.run(...program)
  const [path, args] = form.install
  const end = await inside.runOnce(path, args, { minutes: installMinutes })
  const now = await newVersion(inside, version)
  await inside.run(...form.remove)
  if (!isOlder(now, version)) return { version: now }
  return { failed: `${reasonOf('the update', end)} The agent is of version ${now} still.`, version: now }
}

async function newVersion(inside: WholeInside, wanted: string): Promise<string> {
  for (let waited = 0; ; waited += betweenMs) {
    const version = await inside.agentVersion()
    if (!isOlder(version, wanted) || waited >= patienceMs) return version
    await inside.sleep(betweenMs)
  }
}
