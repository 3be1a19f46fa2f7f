/** The qcow2 header check. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyQcow2 } from '../fake-disk.ts'
import { parseQcow2 } from './qcow2.ts'

function header(change: (header: Buffer) => void = () => {}): Buffer {
  const bytes = emptyQcow2(5 * 1024 ** 3).subarray(0, 104)
  change(bytes)
  return bytes
}

test('a plain image tells its virtual size', () => {
  assert.equal(parseQcow2(header()), 5 * 1024 ** 3)
  assert.equal(parseQcow2(header(bytes => bytes.writeUInt32BE(2, 4)).subarray(0, 72)), 5 * 1024 ** 3)
})

test('what would open other files, or surprise, is refused', () => {
  for (const [change, message] of [
    [(b: Buffer) => b.writeBigUInt64BE(104n, 8), /backing file/],
    [(b: Buffer) => b.writeBigUInt64BE(0b100n, 72), /external data file/],
    [(b: Buffer) => b.writeBigUInt64BE(1n << 40n, 72), /unknown features/],
    [(b: Buffer) => b.writeUInt32BE(2, 32), /encrypted/],
    [(b: Buffer) => b.writeBigUInt64BE(1n << 60n, 24), /1 PiB/],
    [(b: Buffer) => b.writeUInt32BE(4, 4), /version 4/],
    [(b: Buffer) => b.write('VMDK'), /not in the qcow2 format/],
  ] as const) {
    assert.throws(() => parseQcow2(header(b => void change(b))), message)
  }
  assert.throws(() => parseQcow2(Buffer.alloc(0)), /not in the qcow2 format/)
  assert.throws(() => parseQcow2(header().subarray(0, 80)), /cut short/)
})

test("a guest's own overlay may have its base, and no more", () => {
  assert.equal(
    parseQcow2(
      header(b => void b.writeBigUInt64BE(104n, 8)),
      { backing: true },
    ),
    5 * 1024 ** 3,
  )
  assert.throws(
    () =>
      parseQcow2(
        header(b => void b.writeBigUInt64BE(0b100n, 72)),
        { backing: true },
      ),
    /data file/,
  )
})
