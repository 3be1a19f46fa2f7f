/** The unprivileged user that QEMU runs as when the cloud runs as root: what breaks out of a guest is nobody. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { messageOf } from '#kernel/errors.ts'

const name = 'nephos-qemu'

/** Makes the user when it is missing. Where that cannot be done guests run as root, and the log says so. */
export async function ensureGuestUser(log: (line: string) => void): Promise<void> {
  if (process.getuid?.() !== 0) return
  if (readFileSync('/etc/passwd', 'utf8').includes(`\n${name}:`)) return
  try {
    await promisify(execFile)('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', name])
    log(`made the user ${name}: guests run as it, not as root`)
  } catch (error) {
    log(`the user ${name} could not be made (${messageOf(error).trim()}): guests run as root`)
  }
}
