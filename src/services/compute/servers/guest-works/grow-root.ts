/** Grows the partition and the file system that a guest's root is on, to the end of its disk. Both may be there already: then nothing happens. */
import { type Command, type Inside, reasonOf } from '../software/tools/tool.ts'

export type Grown = { bytes: number } | { failed: string }

const env = ['LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin']

interface Root {
  device: string
  type: string
  bytes: number
}

/** What grows a file system that is mounted, by its type. */
const growers: Record<string, (device: string) => Command> = {
  ext2: device => ({ path: 'resize2fs', args: [device] }),
  ext3: device => ({ path: 'resize2fs', args: [device] }),
  ext4: device => ({ path: 'resize2fs', args: [device] }),
  xfs: () => ({ path: 'xfs_growfs', args: ['/'] }),
  btrfs: () => ({ path: 'btrfs', args: ['filesystem', 'resize', 'max', '/'] }),
}

const wholeDisk = /^\/dev\/([hsv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+)$/
const partition = /^(\/dev\/(?:[hsv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+(?=p)))p?(\d+)$/
/** What growpart ends with when there is no room to grow into. */
const noChange = 1

/** The result is what the guest then says that it has. */
export async function growRoot(inside: Inside): Promise<Grown> {
  const root = await rootOf(inside)
  if ('failed' in root) return root
  const grower = growers[root.type]?.(root.device)
  if (!grower)
    return {
      failed: `The root is of type ${root.type}: those of type ${Object.keys(growers).join(', ')} can be grown.`,
    }
  const [, disk, number] = partition.exec(root.device) ?? []
  if (disk === undefined && !wholeDisk.test(root.device))
    return { failed: `The root is on ${root.device}, which is neither a disk nor a partition of one.` }
  if (disk !== undefined) {
    const end = await inside.run('growpart', [disk, number!], { env })
    if (end.code !== 0 && end.code !== noChange) return { failed: reasonOf('growpart', end) }
  }
  const end = await inside.run(grower.path, grower.args, { env, minutes: 15 })
  if (end.code !== 0) return { failed: reasonOf(grower.path, end) }
  const after = await rootOf(inside)
  return 'failed' in after ? after : { bytes: after.bytes }
}

async function rootOf(inside: Inside): Promise<Root | { failed: string }> {
  const end = await inside.run('df', ['-P', '-T', '/'], { env })
  const [, device, type, blocks] = /^([\x21-\x7e]{1,64}) +([\w.-]{1,32}) +(\d{1,15}) .* \/$/m.exec(end.output) ?? []
  if (end.code !== 0 || device === undefined) return { failed: reasonOf('df', end) }
  return { device, type: type!, bytes: Number(blocks) * 1024 }
}
