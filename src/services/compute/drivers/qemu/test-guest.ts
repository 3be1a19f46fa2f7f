/**
 * A guest for tests in one boot sector: it boots under TCG in under a second, needs nothing from outside, and does what tests look at. It
 * prints `bootText` to its serial port, switches off at the power button or when it reads `!`, echoes what else it reads, and at `f` prints `x`
 * until it reads something again.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ImageSource, ImageSpec } from '../driver.ts'

export const bootText = 'nephos test guest ready'

const code = [
  'fa31c08ed88ed0bc007c', // cli; ds = ss = 0; sp = 0x7c00
  'ba0206b80001ef', //       PM1_EN (port 0x602) = power button
  'be6c7cfc', //             si = text
  'ac84c07405e83e00ebf6', // next: al = *si++; if 0 go to wait; putc; next
  'fbf4', //                 wait: sti; hlt (the timer wakes it)
  'ba0006edf6c4017519', //   PM1_STS (port 0x600): button pressed? go to off
  'bafd03eca80174ed', //     nothing to read on COM1? wait
  'baf803ec', //             al = byte read
  '3c217409', //             '!'? off
  '3c66740e', //             'f'? flood
  'e81a00ebdc', //           putc; wait
  'ba0406b80020efebd3', //   off: PM1_CNT (port 0x604) = S5
  'b078e80a00', //           flood: putc 'x'
  'bafd03eca80174f3ebc4', // until there is something to read; wait
  '88c4bafd03eca82074fb', // putc: while COM1 is busy
  '88e0baf803eec3', //       write al to COM1
].join('')

/** The disk: a mebibyte, so that every tool takes it for one. */
export function bootSector(): Buffer {
  const disk = Buffer.alloc(1024 * 1024)
  disk.write(code, 'hex')
  disk.write(`${bootText}\r\n\0`, code.length / 2, 'latin1')
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}

export function imageOf(id: string, bytes: Buffer, overrides: Partial<ImageSpec> = {}): ImageSpec {
  const hash_value = createHash('sha256').update(bytes).digest('hex')
  return { id, size: bytes.length, disk_format: 'raw', hash_algo: 'sha256', hash_value, properties: {}, ...overrides }
}

/** An image service in memory that counts what it is asked for. */
export function memoryImages(contents: Map<string, Buffer>): ImageSource & { opened: string[] } {
  const opened: string[] = []
  return {
    opened,
    async open(image) {
      opened.push(image.id)
      const bytes = contents.get(image.id)
      if (!bytes) throw new Error(`No image found with ID ${image.id}`)
      const half = Math.floor(bytes.length / 2)
      return Readable.from([bytes.subarray(0, half), bytes.subarray(half)])
    },
  }
}
