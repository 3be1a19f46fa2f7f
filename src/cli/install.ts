/** Makes sure that the machine has what the chosen drivers need: installs Debian packages, or says exactly what is missing. */
import { spawn } from 'node:child_process'
import { type Drivers, findProgram, installCommand, missingNeeds, type Need, packagesOf } from './debian-packages.ts'

export interface InstallOptions {
  /** False (`--no-install`): refuse, with the command to run. */
  install: boolean
  /** Told what is going on, a line at a time. */
  log?: (line: string) => void
  /** Programs are looked for in its PATH. */
  env?: NodeJS.ProcessEnv
  /** Whether this process is root's. */
  root?: boolean
}

/** The drivers cannot work here; the message (it may have several lines) says why and what to do. */
export class InstallError extends Error {}

/** Returns when everything that `drivers` need is there. Throws InstallError, or installs, when it is not. */
export async function installMissing(drivers: Drivers, options: InstallOptions): Promise<void> {
  const { log = () => {}, env = process.env, root = process.getuid?.() === 0 } = options
  if (process.platform !== 'linux' && (drivers.virt !== 'fake' || drivers.network !== 'fake')) {
    throw new InstallError(`Real guests and networks need Linux. Here there is: nephos up --simulated`)
  }
  if (drivers.network === 'linux' && !root) throw new InstallError(rootText(missingNeeds(drivers, env)))
  const needs = missingNeeds(drivers, env)
  if (needs.length === 0) return
  const missing = needs.map(need => `  ${need.program.padEnd(20)} ${need.package.padEnd(18)} ${need.why}`).join('\n')
  const command = installCommand(needs)
  if (!findProgram('apt-get', env)) {
    throw new InstallError(`These programs are missing (with Debian's package for each):\n${missing}
This system has no apt-get: install them with its own package tool, and start again.`)
  }
  if (!options.install) throw new InstallError(`These programs are missing:\n${missing}\nInstall them with: ${command}`)
  if (!root) throw new InstallError(`These programs are missing:\n${missing}\nInstall them with: sudo ${command}`)
  log(`installing Debian packages, because these programs are missing:\n${missing}`)
  await installPackages(packagesOf(needs), log)
  const still = missingNeeds(drivers, env)
  if (still.length > 0) {
    const names = still.map(need => need.program).join(', ')
    throw new InstallError(`The packages are installed, but still not found: ${names}. Is PATH right? Else: ${command}`)
  }
  log('installed')
}

function rootText(needs: Need[]): string {
  const also = needs.length > 0 ? ` (and these Debian packages: ${packagesOf(needs).join(' ')})` : ''
  return `Networks for guests need root: bridges, taps and packet filters are the kernel's${also}.
  the whole cloud:          sudo ./nephos up
  guests without networks:  ./nephos up --network fake
  nothing real, no root:    ./nephos up --simulated`
}

/** Installs Debian packages. Throws InstallError when apt-get cannot. */
export async function installPackages(packages: string[], log: (line: string) => void): Promise<void> {
  const words = ['install', '-y', '-q', '--no-install-recommends', ...packages]
  if ((await aptGet(words)) === 0) return
  // A fresh machine has no package lists, an old one has lists of packages that are gone.
  log('fetching the lists of packages')
  await aptGet(['update', '-q'])
  if ((await aptGet(words)) !== 0) {
    throw new InstallError(`apt-get could not install them (its words are above): apt-get ${words.join(' ')}`)
  }
}

/** Runs apt-get with its progress on standard error, and gives its exit code. */
function aptGet(words: string[]): Promise<number> {
  const settings = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Dpkg::Use-Pty=0', '-o', 'Acquire::Retries=3']
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return new Promise((resolve, reject) => {
    const child = spawn('apt-get', [...settings, ...words], { env, stdio: ['ignore', 2, 2] })
    child.on('error', reject)
    child.on('close', code => resolve(code ?? 1))
  })
}
