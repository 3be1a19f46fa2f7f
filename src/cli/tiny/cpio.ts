/** Writes the cpio archive (newc) that a Linux kernel unpacks as its initramfs. Everything in it belongs to root. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

const kinds = { file: 0o100000, directory: 0o040000, link: 0o120000 }

/** The archive of everything under `root`, the same bytes for the same tree. */
export function cpioArchive(root: string): Buffer {
  const names = (readdirSync(root, { recursive: true }) as string[]).sort()
  const parts = ['.', ...names].map((name, index) => memberOf(root, name, index + 1))
  parts.push(member('TRAILER!!!', 0, 0, Buffer.alloc(0)))
  const archive = Buffer.concat(parts)
  return Buffer.concat([archive, Buffer.alloc(-archive.length & 511)])
}

function memberOf(root: string, name: string, inode: number): Buffer {
  const path = join(root, name)
  const stat = lstatSync(path)
  const permissions = stat.mode & 0o7777
  if (stat.isSymbolicLink()) return member(name, kinds.link | 0o777, inode, Buffer.from(readlinkSync(path)))
  if (stat.isDirectory()) return member(name, kinds.directory | permissions, inode, Buffer.alloc(0))
  return member(name, kinds.file | permissions, inode, readFileSync(path))
}

function member(name: string, mode: number, inode: number, content: Buffer): Buffer {
  const nameBytes = Buffer.from(`${name}\0`)
  const links = (mode & 0o170000) === kinds.directory ? 2 : 1
  // inode, mode, uid, gid, links, mtime, size, device and special device (major, minor each), length of the name, check
  const numbers = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0]
  const header = Buffer.from(`070701${numbers.map(number => number.toString(16).padStart(8, '0')).join('')}`)
  return Buffer.concat([padded(Buffer.concat([header, nameBytes])), padded(content)])
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
}
