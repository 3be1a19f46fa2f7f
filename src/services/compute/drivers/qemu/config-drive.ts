/** The config drive: a small ISO 9660 file system labelled config-2, as cloud-init looks for it. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type DriveFile, GuestError } from '../driver.ts'
import { give, type QemuHost } from './host.ts'
import { run } from './run.ts'

const maxBytes = 64 * 1024 * 1024

/** Writes `files` (content by relative path) as the image `target`, in whose directory it works. */
export async function writeConfigDrive(
  host: QemuHost,
  files: Record<string, DriveFile>,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const tree = `${target}.tree`
  const part = `${target}.part`
  let size = 0
  try {
    await rm(tree, { recursive: true, force: true })
    await mkdir(tree, { mode: 0o700 })
    for (const [path, file] of Object.entries(files)) {
      const content = typeof file === 'string' ? Buffer.from(file) : Buffer.from(file.base64, 'base64')
      size += content.length
      if (size > maxBytes) throw new GuestError('The config drive is larger than 64 MiB.')
      if (!isPlainPath(path)) throw new GuestError(`The config drive cannot hold a file named ${JSON.stringify(path)}.`)
      await mkdir(dirname(join(tree, path)), { recursive: true })
      await writeFile(join(tree, path), content)
    }
    const names = ['-J', '-r', '-l', '-ldots', '-allow-lowercase', '-allow-multidot']
    const labels = ['-V', 'config-2', '-publisher', 'Nephos']
    const options = { cwd: dirname(target), signal, timeoutMs: 60_000 }
    await run('genisoimage', ['-quiet', ...names, ...labels, '-o', part, tree], options)
    await give(host, part, 0o600)
    await rename(part, target)
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

const isPlainPath = (path: string) => path.split('/').every(name => /^[\w.-]{1,64}$/.test(name) && !/^\.+$/.test(name))
