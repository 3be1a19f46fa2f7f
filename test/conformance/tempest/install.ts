/** Finds Tempest or installs it: a fixed version in a Python environment of its own, kept in the cache; else Debian's package. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../../src/cli/image-build.ts'
import { installPackages } from '../../../src/cli/install.ts'
import { messageOf } from '../../../src/kernel/errors.ts'

const run = promisify(execFile)

export interface Tempest {
  /** The Python that has it. */
  python: string
  version: string
}

const requirements = join(import.meta.dirname, 'requirements.txt')

/** Throws, saying what is missing, when there is no way to have it. */
export async function installTempest(say: (line: string) => void): Promise<Tempest> {
  const wanted = /^tempest==(\S+)/m.exec(readFileSync(requirements, 'utf8'))![1]!
  const folder = join(cacheFolder(), `tempest-${wanted}`)
  const python = join(folder, 'bin/python')
  if (existsSync(join(folder, 'complete'))) return { python, version: wanted }
  try {
    say(`installing tempest ${wanted} into ${folder}`)
    await makeEnvironment(folder, python)
    return { python, version: wanted }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    say(`${messageOf(error)}\nTaking Debian's tempest instead.`)
  }
  await installPackages(['python3-tempest'], say)
  return { python: '/usr/bin/python3', version: await versionIn('/usr/bin/python3') }
}

async function makeEnvironment(folder: string, python: string) {
  rmSync(folder, { recursive: true, force: true })
  const slow = { timeout: 300_000, maxBuffer: 16 * 1024 * 1024 }
  await run('python3', ['-m', 'venv', folder], slow).catch(async () => {
    await installPackages(['python3-venv'], () => {})
    await run('python3', ['-m', 'venv', '--clear', folder], slow)
  })
  await run(python, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', requirements], slow)
  await run('touch', [join(folder, 'complete')])
}

async function versionIn(python: string): Promise<string> {
  const words = 'import importlib.metadata as m; print(m.version("tempest"))'
  return (await run(python, ['-c', words])).stdout.trim()
}
