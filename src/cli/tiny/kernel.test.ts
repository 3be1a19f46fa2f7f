/** Kernels and modules, made small. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { findModules, kernelElf, loadOrder } from './kernel.ts'

const elf = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(5000, 7)])

/** A bzImage with two sectors of setup code and the payload a little behind them. */
function bzImage(payload: Buffer): Buffer {
  const image = Buffer.alloc(3 * 512 + 100 + payload.length + 64, 0xaa)
  image[0x1f1] = 2
  image.write('HdrS', 0x202, 'latin1')
  image.writeUInt32LE(100, 0x248)
  image.writeUInt32LE(payload.length, 0x24c)
  payload.copy(image, 3 * 512 + 100)
  return image
}

const noLz4 = () => assert.fail('not lz4')

test('the kernel inside is found however it is compressed', async () => {
  const size = Buffer.from([1, 2, 3, 4])
  assert.deepEqual(await kernelElf(bzImage(gzipSync(elf)), noLz4), elf)
  assert.deepEqual(await kernelElf(bzImage(Buffer.concat([zstdCompressSync(elf), size])), noLz4), elf)
  const lz4 = Buffer.concat([Buffer.from('02214c18', 'hex'), Buffer.from('body'), size])
  const seen: string[] = []
  const result = await kernelElf(bzImage(lz4), async body => {
    seen.push(body.toString('latin1', 4))
    return elf
  })
  assert.deepEqual([result, seen], [elf, ['body']])
})

test('what is no kernel is refused', async () => {
  await assert.rejects(kernelElf(Buffer.alloc(4096), noLz4), /no bzImage/)
  await assert.rejects(kernelElf(bzImage(Buffer.from('????????')), noLz4), /compressed in a way unknown/)
  await assert.rejects(kernelElf(bzImage(gzipSync('a script')), noLz4), /not ELF/)
})

test('modules load after what they depend on, each once; built-in ones are skipped', t => {
  const root = mkdtempSync(join(tmpdir(), 'nephos-modules-'))
  t.after(() => rmSync(root, { recursive: true }))
  const folder = join(root, 'lib/modules/6.1.0')
  mkdirSync(join(folder, 'kernel/net'), { recursive: true })
  const module = (name: string, depends: string) =>
    writeFileSync(join(folder, `kernel/net/${name}.ko`), `\x7fELF\0license=GPL\0depends=${depends}\0name=x\0`)
  module('virtio-ring', '')
  module('virtio', 'virtio_ring')
  module('virtio_net', 'virtio,virtio_ring,built_in')

  const { version, paths } = findModules(root)
  assert.equal(version, '6.1.0')
  assert.deepEqual(
    loadOrder(['virtio_net', 'virtio', 'ext4'], paths).map(path => path.slice(path.lastIndexOf('/') + 1)),
    ['virtio-ring.ko', 'virtio.ko', 'virtio_net.ko'],
  )
})
