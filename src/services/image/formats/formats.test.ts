/** Images that an attacker, or a mistake, would upload: each is refused by its header alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from './format.ts'
import { type Bytes, Refused } from './parser.ts'

const GB = 1024 ** 3
const limits = { max_virtual_size: 1024 * GB }

/** A file of `size` bytes that begins with `head`; counts what is read of it. */
function file(head: Buffer, size = Math.max(head.length, 1_048_576)): Bytes & { read_bytes: number } {
  const bytes = {
    size,
    read_bytes: 0,
    async read(offset: number, length: number) {
      const end = Math.min(offset + length, size)
      const out = Buffer.alloc(Math.max(0, end - offset))
      if (offset < head.length) head.copy(out, 0, offset, Math.min(end, head.length))
      bytes.read_bytes += out.length
      return out
    },
  }
  return bytes
}

interface Qcow2 {
  version?: number
  backing?: string
  size?: bigint
  clusterBits?: number
  crypt?: number
  l1?: number
  l1Offset?: bigint
  refcountClusters?: number
  snapshots?: number
  features?: bigint
  extension?: [number, string]
}

/** A header as `qemu-img create` writes it, with what a test wants changed. */
function qcow2(o: Qcow2 = {}): Buffer {
  const b = Buffer.alloc(262_144)
  b.write('QFI\xfb', 0, 'latin1')
  b.writeUInt32BE(o.version ?? 3, 4)
  if (o.backing) {
    b.writeBigUInt64BE(512n, 8)
    b.writeUInt32BE(o.backing.length, 16)
    b.write(o.backing, 512)
  }
  b.writeUInt32BE(o.clusterBits ?? 16, 20)
  b.writeBigUInt64BE(o.size ?? BigInt(GB), 24)
  b.writeUInt32BE(o.crypt ?? 0, 32)
  b.writeUInt32BE(o.l1 ?? 2, 36)
  b.writeBigUInt64BE(o.l1Offset ?? 0x30000n, 40)
  b.writeBigUInt64BE(0x10000n, 48)
  b.writeUInt32BE(o.refcountClusters ?? 1, 56)
  b.writeUInt32BE(o.snapshots ?? 0, 60)
  b.writeBigUInt64BE(o.features ?? 0n, 72)
  b.writeUInt32BE(4, 96)
  b.writeUInt32BE(104, 100)
  if (o.extension) {
    b.writeUInt32BE(o.extension[0], 104)
    b.writeUInt32BE(o.extension[1].length, 108)
    b.write(o.extension[1], 112)
  }
  return b
}

const as = async (disk_format: string, head: Buffer, size?: number) =>
  (await inspect(file(head, size), { disk_format, container_format: 'bare' }, limits)).virtual_size

const descriptor = `# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="monolithicFlat"
RW 2048 FLAT "/etc/passwd" 0
`

function sparseVmdk(text: string): Buffer {
  const b = Buffer.alloc(65_536)
  b.write('KDMV')
  b.writeUInt32LE(1, 4)
  b.writeBigUInt64LE(4096n, 12)
  b.writeBigUInt64LE(1n, 28)
  b.writeBigUInt64LE(20n, 36)
  b.write(text, 512)
  return b
}

const wholeVmdk = descriptor
  .replace('monolithicFlat', 'monolithicSparse')
  .replace('FLAT "/etc/passwd" 0', 'SPARSE "disk.vmdk"')

test('a plain qcow2 is taken and its disk size known', async () => {
  assert.equal(await as('qcow2', qcow2()), GB)
  assert.equal(await as('qcow2', qcow2({ version: 2, features: 0n })), GB)
  assert.equal(await as('qcow2', qcow2({ features: 0b11001n, l1: 4 })), GB, 'dirty, compression type, extended L2')
})

const refusals: [string, Qcow2, RegExp][] = [
  ['a backing file', { backing: '/etc/passwd' }, /it has a backing file/],
  ['an external data file by its flag', { features: 4n }, /external data file/],
  ['an external data file by its name', { extension: [0x44415441, '/etc/passwd'] }, /external data file/],
  ['a feature nobody knows', { features: 1n << 40n }, /not known/],
  ['a corrupt mark', { features: 2n }, /corrupt/],
  ['encryption by AES', { crypt: 1 }, /encrypted/],
  ['encryption by LUKS', { crypt: 2, extension: [0x0537be77, '0123456789abcdef'] }, /encrypted/],
  ['a disk of 1 PB', { size: 1n << 50n, l1: 1 << 21 }, /larger than the limit/],
  ['a disk of almost 2^64', { size: 0xffff_ffff_ffff_fff0n }, /absurd/],
  ['an L1 table of 32 GB', { l1: 0xffff_ffff }, /L1 table is absurdly large/],
  ['an L1 table that is too short', { l1: 1 }, /does not cover/],
  ['an L1 table outside of the file', { l1Offset: 0x10_0000_0000n }, /outside of the file/],
  ['a refcount table of 256 TB', { refcountClusters: 0xffff_ffff }, /refcount table/],
  ['a million snapshots', { snapshots: 1_000_000 }, /snapshots/],
  ['clusters of 2^63', { clusterBits: 63 }, /not supported/],
  ['an extension beyond its cluster', { extension: [0x6803f857, 'x'] }, /too long/],
  ['version 4', { version: 4 }, /version 4/],
]
for (const [what, header, message] of refusals) {
  test(`a qcow2 with ${what} is refused`, async () => {
    const head = qcow2(header)
    if (what.includes('beyond')) head.writeUInt32BE(0x7fff_ffff, 108)
    await assert.rejects(as('qcow2', head), message)
  })
}

test('content of another format than declared is refused', async () => {
  await assert.rejects(as('raw', qcow2()), /disk_format is raw but its content is qcow2/)
  await assert.rejects(as('raw', Buffer.from(descriptor)), /content is vmdk/)
  await assert.rejects(as('raw', Buffer.from('\n#x\n\n version=1\nRW 1 FLAT "/etc/passwd"')), /content is vmdk/)
  await assert.rejects(as('raw', sparseVmdk(wholeVmdk)), /content is vmdk/)
  await assert.rejects(as('raw', Buffer.from('LUKS\xba\xbe\0\x01', 'latin1')), /content is luks/)
  await assert.rejects(as('raw', Buffer.from('QED\0')), /content is qed/)
  await assert.rejects(as('qcow2', Buffer.alloc(512)), /disk_format is qcow2 but its content is raw/)
  await assert.rejects(as('iso', Buffer.alloc(65_536)), /content is raw/)
  await assert.rejects(as('ami', qcow2()), /content is qcow2/)
  await assert.rejects(
    inspect(file(qcow2()), { disk_format: 'raw', container_format: 'ova' }, limits),
    /container_format is ova but its content is qcow2/,
  )
})

test('a raw disk is any other bytes, partitioned or not', async () => {
  assert.equal(await as('raw', Buffer.from('hello'), 5), 5)
  assert.equal(await as('raw', Buffer.alloc(0), 0), 0)
  const disk = Buffer.alloc(4096)
  disk.writeUInt16BE(0x55aa, 510)
  assert.equal(await as('raw', disk, GB), GB)
  await assert.rejects(as('raw', disk, 2000 * GB), /larger than the limit/)
})

test('a VMDK is taken only when it is whole in one file', async () => {
  assert.equal(await as('vmdk', sparseVmdk(wholeVmdk)), 2_097_152)
  await assert.rejects(as('vmdk', Buffer.from(descriptor)), /refers to other files/)
  await assert.rejects(as('vmdk', sparseVmdk(descriptor)), /monolithicFlat refers to other files/)
  await assert.rejects(as('vmdk', sparseVmdk(wholeVmdk.replace('disk.vmdk', '/etc/passwd'))), /refers to other files/)
  await assert.rejects(as('vmdk', sparseVmdk(wholeVmdk.replace('ffffffff', '00000001'))), /backing file/)
  await assert.rejects(as('vmdk', sparseVmdk(`${wholeVmdk}RW 1 FLAT "/dev/sda"\n`)), /refers to other files/)
  await assert.rejects(as('vmdk', sparseVmdk(`${wholeVmdk}createType="custom"\n`)), /twice/)
})

test('differencing VHD and VDI disks are refused', async () => {
  const footer = (type: number) => {
    const b = Buffer.alloc(512)
    b.write('conectix')
    b.writeBigUInt64BE(BigInt(GB), 48)
    b.writeUInt32BE(type, 60)
    return b
  }
  assert.equal(await as('vhd', footer(3)), GB)
  await assert.rejects(as('vhd', footer(4)), /backing file/)
  await assert.rejects(as('raw', Buffer.concat([Buffer.alloc(1024), footer(2)]), 1536), /content is vhd/)
  const vdi = (type: number) => {
    const b = Buffer.alloc(512)
    b.writeUInt32LE(0xbeda107f, 64)
    b.writeUInt32LE(type, 76)
    b.writeBigUInt64LE(BigInt(GB), 368)
    return b
  }
  assert.equal(await as('vdi', vdi(1)), GB)
  await assert.rejects(as('vdi', vdi(4)), /refers to other files/)
})

test('headers cut short are refused, never crash, and little is read of any file', async () => {
  const whole = [qcow2(), sparseVmdk(wholeVmdk), Buffer.from('vhdxfile')]
  for (const [i, format] of ['qcow2', 'vmdk', 'vhdx'].entries()) {
    for (const length of [4, 8, 71, 72, 100, 511]) {
      const bytes = file(whole[i]!.subarray(0, length), length)
      await assert.rejects(inspect(bytes, { disk_format: format, container_format: 'bare' }, limits), Refused)
    }
  }
  const big = file(qcow2({ clusterBits: 21, l1Offset: 0x200000n }), 100 * GB)
  await inspect(big, { disk_format: 'qcow2', container_format: 'bare' }, limits).catch(() => {})
  assert.ok(big.read_bytes < 4 * 1024 * 1024)
})

test('where formats need not match, what is unsafe is refused all the same', async () => {
  const declared = { disk_format: 'vmdk', container_format: 'bare' }
  const lenient = { ...limits, any_format: true }
  assert.equal((await inspect(file(qcow2()), declared, lenient)).virtual_size, GB)
  assert.equal((await inspect(file(Buffer.from('no format')), declared, lenient)).virtual_size, 1_048_576)
  await assert.rejects(inspect(file(qcow2({ backing: '/etc/passwd' })), declared, lenient), Refused)
})

test('what is kept all the same is said to be what it is', async () => {
  const declared = { disk_format: 'raw', container_format: 'bare' }
  const kept = { ...limits, any_format: true, keep_unsafe: true }
  const found = await inspect(file(qcow2({ backing: '/etc/passwd' })), declared, kept)
  assert.deepEqual(found, { virtual_size: null, found_format: 'qcow2', unsafe: 'it has a backing file' })
  const optical = Buffer.alloc(40_000)
  optical.write('CD001', 32_769)
  assert.equal((await inspect(file(optical), declared, kept)).found_format, 'iso')
  optical.writeUInt16BE(0x55aa, 510)
  assert.equal((await inspect(file(optical), declared, kept)).found_format, 'gpt', 'it boots as a disk, too')
  assert.equal((await inspect(file(optical), { ...declared, disk_format: 'iso' }, kept)).found_format, 'iso')
})

test('the footer of a VMDK is its header over again, but for where the directory is', async () => {
  const head = sparseVmdk(wholeVmdk)
  head.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 56)
  const whole = (footer: Buffer) => Buffer.concat([head, Buffer.alloc(512), footer, Buffer.alloc(512)])
  const footer = Buffer.from(head.subarray(0, 512))
  footer.writeBigUInt64LE(42n, 56)
  assert.equal(await as('vmdk', whole(footer), head.length + 1536), 2_097_152)
  footer.writeBigUInt64LE(1n << 40n, 12)
  await assert.rejects(as('vmdk', whole(footer), head.length + 1536), /footer is not like its header/)
  await assert.rejects(as('vmdk', head, head.length), /footer is not like its header/)
  const odd = Buffer.concat([head, Buffer.alloc(513), head.subarray(0, 512), Buffer.alloc(512)])
  await assert.rejects(as('vmdk', odd, odd.length), /ends before its footer/)
})
