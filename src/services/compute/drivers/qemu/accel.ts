/** KVM or TCG. That /dev/kvm is there proves nothing: a kernel has to boot on it. The answer is kept on disk. */
import { spawn } from 'node:child_process'
import { access, readFile, readlink } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '#kernel/errors.ts'
import { GuestError } from '../driver.ts'
import type { Accel } from './command-line.ts'
import { confine, exists, type QemuHost, replaceFile } from './host.ts'

export interface AccelChoice {
  accel: Accel
  /** Why, for the log and for `doctor`. */
  reason: string
}

const probeSeconds = 30

/** `kernel`: a Linux kernel to try with; without one the host's own is taken. */
export async function chooseAccel(
  host: QemuHost,
  wanted: 'auto' | Accel,
  version: string,
  kernel: string | undefined,
): Promise<AccelChoice> {
  if (wanted === 'kvm' && !(await exists('/dev/kvm'))) {
    throw new GuestError('KVM is asked for, but this host has no /dev/kvm. Use accel auto or tcg.')
  }
  if (wanted !== 'auto') return { accel: wanted, reason: 'the configuration says so' }
  if (!(await exists('/dev/kvm'))) return { accel: 'tcg', reason: 'there is no /dev/kvm' }
  const found = kernel ?? (await hostKernel())
  if (!found)
    return { accel: 'tcg', reason: 'KVM cannot be tried without a kernel to boot; set accel to kvm to trust it' }
  const key = [version, release(), await cpuModel(), String(host.user?.uid ?? 'self'), found].join('\n')
  const kept = await readKept(host)
  if (kept?.key === key) return kept.choice
  const choice = await tryKvm(host, found)
  await replaceFile(keptPath(host), `${JSON.stringify({ key, choice })}\n`)
  return choice
}

const keptPath = (host: QemuHost) => join(host.dir, 'accel.json')

async function readKept(host: QemuHost): Promise<{ key: string; choice: AccelChoice } | undefined> {
  const text = await readFile(keptPath(host), 'utf8').catch(() => 'null')
  return JSON.parse(text) ?? undefined
}

async function hostKernel(): Promise<string | undefined> {
  const linked = await readlink('/vmlinuz').then(
    path => join('/', path),
    () => undefined,
  )
  for (const path of [`/boot/vmlinuz-${release()}`, linked]) if (path && (await exists(path))) return path
  return undefined
}

async function cpuModel(): Promise<string> {
  return /model name\s*: (.*)/.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1] ?? ''
}

/** A kernel without a disk comes as far as looking for its root, and panics. That far is far enough. */
async function tryKvm(host: QemuHost, kernel: string): Promise<AccelChoice> {
  const append = ['-append', 'console=ttyS0 panic=-1 root=/dev/none']
  const machine = ['-machine', 'q35', '-accel', 'kvm', '-cpu', 'host', '-m', '256', '-nodefaults', '-no-user-config']
  try {
    await access(kernel)
    const args = [...machine, '-display', 'none', '-no-reboot', '-serial', 'stdio', '-kernel', kernel, ...append]
    const [program, ...rest] = await confine(host, args, { fileBytes: 0, kvm: true })
    const said = await output(host, program, rest)
    if (/Unable to mount root|Run \/(sbin\/)?init/.test(said)) return { accel: 'kvm', reason: 'a kernel boots on it' }
    const last = said.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
    return { accel: 'tcg', reason: `no kernel boots on this host's KVM: ${last}` }
  } catch (error) {
    return { accel: 'tcg', reason: `KVM could not be tried: ${messageOf(error)}` }
  }
}

/** What the command prints until it ends or its time is up, at most 256 KiB of it. */
function output(host: QemuHost, program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = host.clock.after(probeSeconds * 1000, () => child.kill('SIGKILL'))
    let text = ''
    const add = (chunk: Buffer) => {
      text = (text + chunk.toString('latin1')).slice(-262_144)
    }
    child.stdout.on('data', add)
    child.stderr.on('data', add)
    child.on('error', reject)
    child.on('close', () => {
      timer.cancel()
      resolve(text)
    })
  })
}
