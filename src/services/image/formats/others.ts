/** VDI, ISO 9660, partitioned disks, and the formats that are known only to be refused. */
import { checkVirtualSize, exactly, type Format, refuse, u64 } from './parser.ts'

export const vdi: Format = {
  name: 'vdi',
  detect: (_bytes, head) => head.length >= 68 && head.readUInt32LE(64) === 0xbeda107f,
  async inspect(bytes, limits) {
    const head = await exactly(bytes, 0, 512)
    const type = head.readUInt32LE(76)
    if (type !== 1 && type !== 2) refuse(`VDI type ${type} refers to other files`)
    return checkVirtualSize(u64(head, 368, 'le'), limits)
  },
}

export const iso: Format = {
  name: 'iso',
  detect: async bytes => (await bytes.read(32_769, 5)).toString('latin1') === 'CD001',
  inspect: async (bytes, limits) => checkVirtualSize(bytes.size, limits),
}

/** A disk as it is, with a partition table that says so. */
export const gpt: Format = {
  name: 'gpt',
  detect: (_bytes, head) => head.length >= 512 && head.readUInt16BE(510) === 0x55aa,
  inspect: async (bytes, limits) => checkVirtualSize(bytes.size, limits),
}

const startsWith = (name: string, magic: string): Format => ({
  name,
  detect: (_bytes, head) => head.subarray(0, magic.length).toString('latin1') === magic,
  inspect: async () => refuse(`${name} is not supported`),
})

export const qed = startsWith('qed', 'QED\0')
export const luks: Format = {
  ...startsWith('luks', 'LUKS\xba\xbe'),
  inspect: async () => refuse('it is encrypted'),
}
export const ploop: Format = {
  name: 'ploop',
  detect: (_bytes, head) => /^Withou(tFreeSpac|FreSpacExt)/.test(head.subarray(0, 16).toString('latin1')),
  inspect: async (bytes, limits) => checkVirtualSize(bytes.size, limits),
}
