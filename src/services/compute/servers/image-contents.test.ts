/** Servers of images whose bytes are not what they are declared to be: the image service may keep such, no host gets one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestProject } from '../../../../test/harness.ts'
import { emptyQcow2 } from '../drivers/fake-disk.ts'
import { type ServerCloud, serverCloud } from './fixtures/server-cloud.ts'

const lax = ['image.require_format_match=false', 'image.refuse_unsafe=false']

function withBacking(): Buffer {
  const disk = Buffer.from(emptyQcow2(1024 ** 3))
  disk.writeBigUInt64BE(512n, 8)
  disk.writeUInt32BE(11, 16)
  return disk
}

function optical(): Buffer {
  const disk = Buffer.alloc(40_000)
  disk.write('CD001', 32_769)
  return disk
}

function vdi(): Buffer {
  const disk = Buffer.alloc(4096)
  disk.writeUInt32LE(0xbeda107f, 64)
  disk.writeUInt32LE(1, 76)
  disk.writeBigUInt64LE(1024n ** 3n, 368)
  return disk
}

async function imageOf(
  cloud: ServerCloud,
  { token }: TestProject,
  disk_format: string,
  bytes: Buffer,
  container_format = 'bare',
) {
  const body = { name: disk_format, disk_format, container_format }
  const { id } = (await cloud.request<{ id: string }>('POST', '/image/v2/images', { token, body })).body
  const headers = { 'content-type': 'application/octet-stream' }
  const filled = await cloud.request('PUT', `/image/v2/images/${id}/file`, { token, headers, body: bytes })
  assert.equal(filled.status, 204, JSON.stringify(filled.body))
  return id
}

test('a server of an image that lies about its format, or is not safe, fails with the reason', async () => {
  await using cloud = await serverCloud({ hosts: ['h1', 'h2'], set: lax })
  const demo = await cloud.project('p1')
  const mismatch = 'Image content does not match disk_format'
  const bad: [string, Buffer, string][] = [
    ['raw', emptyQcow2(1024 ** 3), mismatch],
    ['qcow2', Buffer.alloc(512), mismatch],
    ['raw', optical(), mismatch],
    ['vmdk', vdi(), mismatch],
    ['qcow2', withBacking(), 'Image does not pass safety check: it has a backing file'],
  ]
  for (const [format, bytes, why] of bad) {
    const imageRef = await imageOf(cloud, demo, format, bytes)
    const server = await cloud.boot(demo, { imageRef })
    assert.equal(server.status, 'ERROR', why)
    assert.equal(
      server.fault.message,
      `Build of instance ${server.id} aborted: Image ${imageRef} is unacceptable: ${why}`,
    )
    assert.equal((await cloud.request('GET', `/image/v2/images/${imageRef}`, { token: demo.token })).status, 200)
  }
  assert.equal(cloud.drivers.h1!.guests.size + cloud.drivers.h2!.guests.size, 0)
})

/** What qemu-img opens as a VMDK when it is told to, though it does not look like one. */
function disguised(): Buffer {
  const text = 'odd=1\ncreateType="monolithicFlat"\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "/etc/passwd" 0\n'
  return Buffer.concat([Buffer.from(text)], 4096)
}

test('no host converts what nobody has looked into: a disk in a container', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  for (const container of ['ova', 'docker']) {
    const server = await cloud.boot(demo, { imageRef: await imageOf(cloud, demo, 'vmdk', disguised(), container) })
    assert.equal(server.status, 'ERROR')
    assert.match(server.fault.message, /is unacceptable: Image content has not been checked$/)
  }
  assert.equal(cloud.drivers.h1!.guests.size, 0)
})

test('a disk of another kind is converted by the host, and an optical one is in its drive', async () => {
  await using cloud = await serverCloud()
  const demo = await cloud.project('p1')
  const rootOf = async (format: string, bytes: Buffer) => {
    const server = await cloud.boot(demo, { imageRef: await imageOf(cloud, demo, format, bytes) })
    assert.equal(server.status, 'ACTIVE', server.fault?.message)
    return cloud.drivers.h1!.guests.get(server.id)!.spec.disks[0]!
  }
  const { source } = await rootOf('vdi', vdi())
  assert.ok(source.type === 'image')
  assert.deepEqual([source.image.disk_format, source.image.stored_as], ['qcow2', 'vdi'])
  const drive = await rootOf('iso', optical())
  assert.ok(drive.source.type === 'image')
  assert.deepEqual([drive.cdrom, drive.source.image.disk_format], [true, 'raw'])
})
