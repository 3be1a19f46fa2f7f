/** The guest of real runs: the tiny image with the programs that Tempest types into it and tiny has no room for. */
import { execFileSync, spawnSync } from 'node:child_process'
import { openSync, readSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { findProgram } from '../../../src/cli/debian-packages.ts'
import { buildTinyImage } from '../../../src/cli/image-build.ts'
import { toQcow2 } from '../../../src/cli/tiny/disk.ts'

const programs = ['curl', 'lsblk', 'blkid']

/** Where they are in the guest, with this machine's libraries. */
const place = '/lib/added'

/** Writes its disk into the folder and gives the path. Throws when this machine lacks one of the programs. */
export async function buildGuest(folder: string, say: (line: string) => void): Promise<string> {
  const { disk } = await buildTinyImage({ log: say, refresh: false })
  const raw = join(folder, 'guest.raw')
  execFileSync('qemu-img', ['convert', '-O', 'raw', disk, raw])
  const files = addedFiles(folder).flatMap(([from, to]) => put(from, to))
  // Where Tempest looks for udhcpc.
  const links = ['eth0', 'eth1'].map(name => `symlink udhcpc.${name}.pid /run/net.${name}/pid`)
  const commands = [`mkdir ${place}`, ...files, 'mkdir /var/run', 'cd /var/run', ...links]
  const script = join(folder, 'added')
  writeFileSync(script, `${commands.join('\n')}\n`)
  const { stderr } = spawnSync('debugfs', ['-w', '-f', script, `${raw}?offset=${rootStart(raw)}`], { encoding: 'utf8' })
  const complaints = stderr.split('\n').filter(line => line !== '' && !line.startsWith('debugfs '))
  if (complaints.length > 0) throw new Error(`debugfs: ${complaints.join('; ')}`)
  const guest = join(folder, 'guest.qcow2')
  await toQcow2(raw, guest, {})
  return guest
}

/** From where, and to where in the guest. */
function addedFiles(folder: string): [string, string][] {
  const files = new Map<string, string>()
  for (const name of programs) {
    const path = findProgram(name)
    if (!path) throw new Error(`${name} is not installed: Tempest runs it in guests`)
    files.set(`${place}/${name}`, path)
    const libraries = [...execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)]
    for (const [, library] of libraries) files.set(`${place}/${basename(library!)}`, library!)
    const loader = [...files.keys()].find(file => basename(file).startsWith('ld-linux'))
    const words = `#!/bin/sh\nexec ${loader} --library-path ${place} ${place}/${name} "$@"\n`
    writeFileSync(join(folder, `run-${name}`), words)
    files.set(`/usr/bin/${name}`, join(folder, `run-${name}`))
  }
  writeFileSync(join(folder, 'sudo'), '#!/bin/sh\nexec "$@"\n')
  files.set('/usr/bin/sudo', join(folder, 'sudo'))
  return [...files].map(([to, from]) => [from, to])
}

/** For debugfs, which writes into its working directory only. */
const put = (from: string, to: string) => [
  `cd ${dirname(to)}`,
  `write ${from} ${basename(to)}`,
  `sif ${basename(to)} mode 0100755`,
]

/** Where the second partition, which is the root file system, begins. */
function rootStart(disk: string): number {
  const sector = Buffer.alloc(512)
  readSync(openSync(disk, 'r'), sector)
  return sector.readUInt32LE(446 + 16 + 8) * 512
}
