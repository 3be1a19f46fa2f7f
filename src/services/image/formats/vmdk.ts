/** VMware's format. Only disks that are whole in their one file are taken: a descriptor can name any file of the host. */
import { type Bytes, checkVirtualSize, exactly, type Format, refuse, u64 } from './parser.ts'

const sector = 512
const maxDescriptor = 1024 * 1024
/** Where the header says where the directory is, and how it says that the footer knows. */
const directoryAt = 56
const inFooter = 0xffff_ffff_ffff_ffffn
const wholeTypes = ['monolithicSparse', 'streamOptimized']

/** A descriptor as QEMU recognizes it: comments and blank lines, then `version=`. */
function isDescriptor(head: Buffer): boolean {
  const lines = head.subarray(0, 4096).toString('latin1').split('\n')
  if (/^\s*# Disk DescriptorFile/i.test(lines[0]!)) return true
  const first = lines.find(line => line.trim() !== '' && !line.trimStart().startsWith('#'))
  return first !== undefined && /^\s*version\s*=\s*[123]\s*$/i.test(first)
}

const isSparse = (head: Buffer) => ['KDMV', 'COWD'].includes(head.subarray(0, 4).toString('latin1'))

export const vmdk: Format = {
  name: 'vmdk',
  detect: (_bytes, head) => isSparse(head) || isDescriptor(head),
  async inspect(bytes, limits) {
    const magic = (await bytes.read(0, 4)).toString('latin1')
    if (magic !== 'KDMV') refuse('it is a VMDK that refers to other files')
    const head = await exactly(bytes, 0, sector)
    const version = head.readUInt32LE(4)
    if (version < 1 || version > 3) refuse(`VMDK version ${version} is not supported`)
    checkDescriptor(await readDescriptor(bytes, head))
    const sectors = u64(head, 12, 'le')
    if (head.readBigUInt64LE(directoryAt) === inFooter) await checkFooter(bytes, head)
    // QEMU takes such a header for a mere descriptor, and opens the files that it names.
    if (sectors === 0) refuse('it is a VMDK that refers to other files')
    return checkVirtualSize(sectors * sector, limits)
  },
}

/** QEMU takes the copy of the header at the end in place of the header: all but where the directory is has to be the same. */
async function checkFooter(bytes: Bytes, head: Buffer): Promise<void> {
  // QEMU counts whole sectors from the end, rounded up: there must be no other way to count.
  if (bytes.size < 3 * sector || bytes.size % sector !== 0) refuse('it ends before its footer')
  const footer = await exactly(bytes, bytes.size - 2 * sector, sector)
  const [one, other] = [Buffer.from(head), Buffer.from(footer)]
  for (const copy of [one, other]) copy.fill(0, directoryAt, directoryAt + 8)
  if (!one.equals(other)) refuse('its footer is not like its header')
}

async function readDescriptor(bytes: Bytes, head: Buffer): Promise<string> {
  const offset = u64(head, 28, 'le') * sector
  const length = u64(head, 36, 'le') * sector
  if (offset === 0 || length === 0) refuse('it is a VMDK without a descriptor')
  if (length > maxDescriptor || offset > maxDescriptor) refuse('its descriptor is absurdly large')
  const text = (await exactly(bytes, offset, length)).toString('latin1')
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}

function checkDescriptor(text: string): void {
  const lines = text.split('\n').map(line => line.trim())
  const setting = (name: string) => {
    const found = lines.filter(line => line.toLowerCase().startsWith(`${name.toLowerCase()}=`))
    if (found.length > 1) refuse(`its descriptor says ${name} twice`)
    return found[0]
      ?.slice(name.length + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
  }
  const type = setting('createType') ?? 'nothing'
  if (!wholeTypes.includes(type)) refuse(`a VMDK of type ${type.slice(0, 40)} refers to other files`)
  const parent = setting('parentCID')
  if ((parent !== undefined && parent.toLowerCase() !== 'ffffffff') || setting('parentFileNameHint') !== undefined)
    refuse('it has a backing file')
  const extents = lines.filter(line => /^(RW|RDONLY|NOACCESS)\s/i.test(line))
  if (extents.length !== 1 || !/^RW\s+\d+\s+SPARSE\s+"[^"/\\]*"(\s+\d+)?$/i.test(extents[0]!))
    refuse('it is a VMDK that refers to other files')
}
