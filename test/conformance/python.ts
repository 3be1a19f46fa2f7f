/** Installs a suite written in Python: a fixed version in an environment of its own, kept in the cache; else Debian's package. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../src/cli/image-build.ts'
import { installPackages } from '../../src/cli/install.ts'
import { messageOf } from '../../src/kernel/errors.ts'
import { isAlone } from './alone.ts'

const run = promisify(execFile)

export interface Suite {
  /** The Python that has it. */
  python: string
  version: string
  /** Where its package is. */
  home: string
}

export interface Wanted {
  /** A requirements.txt whose first line pins the suite. */
  requirements: string
  /** The suite's Python package. */
  module: string
  debianPackages: string[]
}

const debianPython = '/usr/bin/python3'

/** Throws, saying what is missing, when there is no way to have it. */
export async function installSuite(wanted: Wanted, say: (line: string) => void): Promise<Suite> {
  const [, name, version] = /^(\S+)==(\S+)/.exec(readFileSync(wanted.requirements, 'utf8'))!
  const folder = join(cacheFolder(), `${name}-${version}`)
  const python = join(folder, 'bin/python')
  if (existsSync(join(folder, 'complete'))) return about(python, wanted.module, name!)
  // What could be had was, before the network was left.
  if (isAlone()) return about(debianPython, wanted.module, name!)
  try {
    say(`installing ${name} ${version} into ${folder}`)
    await makeEnvironment(folder, python, wanted.requirements)
    return await about(python, wanted.module, name!)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    say(`${messageOf(error)}\nTaking Debian's ${name} instead.`)
  }
  await installPackages(wanted.debianPackages, say)
  return about(debianPython, wanted.module, name!)
}

async function makeEnvironment(folder: string, python: string, requirements: string) {
  rmSync(folder, { recursive: true, force: true })
  const slow = { timeout: 300_000, maxBuffer: 16 * 1024 * 1024 }
  await run('python3', ['-m', 'venv', folder], slow).catch(async () => {
    await installPackages(['python3-venv'], () => {})
    await run('python3', ['-m', 'venv', '--clear', folder], slow)
  })
  await run(python, ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', requirements], slow)
  await run('touch', [join(folder, 'complete')])
}

async function about(python: string, module: string, name: string): Promise<Suite> {
  const words = `import importlib.metadata as m, ${module} as p; print(m.version("${name}")); print(list(p.__path__)[0])`
  const [version, home] = (await run(python, ['-c', words])).stdout.trim().split('\n')
  return { python, version: version!, home: home! }
}
