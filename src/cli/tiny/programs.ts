/** Runs programs, this machine's and those of unpacked packages: by argument vector, with errors that show what they said. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { architecture } from './recipe.ts'

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  input?: Buffer | string
  signal?: AbortSignal
}

/** Runs a program to its end and gives its standard output. Throws with what it said on standard error. */
export function run(program: string, words: string[], options: RunOptions = {}): Promise<Buffer> {
  const { input, ...rest } = options
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      words,
      { ...rest, encoding: 'buffer', maxBuffer: 256 << 20 },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        if ('code' in error && error.code === 'ENOENT') return reject(new Error(`${program} is not installed`))
        const said = stderr.toString().trim().split('\n').slice(-5).join('\n')
        reject(new Error(`${program} ${words.slice(0, 3).join(' ')} ... failed: ${said || error.message}`))
      },
    )
    child.stdin?.on('error', () => {}) // it may end without reading all; its exit code tells
    child.stdin?.end(input)
  })
}

/** The dynamic loader of the packages unpacked in `packages`, and the folders of their libraries. */
export function loaderOf(packages: string): { loader: string; libraries: string } {
  const folders = ['lib', 'usr/lib'].map(folder => join(packages, folder, architecture.libraries)).filter(existsSync)
  const loader = folders.map(folder => join(folder, architecture.loader)).find(existsSync)
  if (!loader) throw new Error(`the package libc6 has no ${architecture.loader}`)
  return { loader, libraries: folders.join(':') }
}

/** A program's path, whether its package has it in /bin or, as merged systems do, in /usr/bin. */
export function locate(packages: string, program: string): string {
  const places = [program, `usr/${program}`, program.replace(/^usr\//, '')].map(place => join(packages, place))
  const found = places.find(existsSync)
  if (!found) throw new Error(`none of the packages has ${program}`)
  return found
}

/** Runs a program of unpacked packages with their own loader and libraries, whatever this machine has. */
export function runUnpacked(
  packages: string,
  program: string,
  words: string[],
  options: RunOptions = {},
): Promise<Buffer> {
  const { loader, libraries } = loaderOf(packages)
  return run(loader, ['--library-path', libraries, locate(packages, program), ...words], options)
}

/** The libraries that a program of unpacked packages needs: name and path, as its loader says. */
export async function librariesOf(packages: string, program: string, options: RunOptions): Promise<[string, string][]> {
  const { loader, libraries } = loaderOf(packages)
  const words = ['--library-path', libraries, '--list', locate(packages, program)]
  const found: [string, string][] = []
  for (const line of (await run(loader, words, options)).toString().split('\n')) {
    const [, name, path] = /^\s+(\S+) => (\S.*) \(0x/.exec(line) ?? []
    if (!name || !path || name.includes(architecture.loader)) continue
    if (!path.startsWith(packages)) throw new Error(`${program} needs ${name}, which is in none of the packages`)
    found.push([name, path])
  }
  return found
}
