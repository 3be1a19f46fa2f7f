/** What an attacker would try: images that name files of the host, bombs, lies about formats, other projects' images. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { onEachEngine } from '../../../test/engines.ts'
import { type ImageCloud, imageCloud, upload } from './fixtures/image-cloud.ts'
import { imageService } from './service.ts'

/** Uploads bytes as an image of a format; returns the status and what was said, and expects that nothing stays of what is refused. */
async function attempt(s: ImageCloud, disk_format: string, bytes: Buffer) {
  const { id } = await s.make({ disk_format })
  const answer = await s.call<unknown>(s.mine, 'PUT', `/v2/images/${id}/file`, upload(bytes))
  const image = (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
  if (answer.status !== 204) {
    assert.equal(image.status, 'queued')
    assert.deepEqual(await s.files(), [])
  }
  await s.call(s.mine, 'DELETE', `/v2/images/${id}`)
  while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
  return { status: answer.status, text: String(answer.body), virtual_size: image.virtual_size }
}

const qemuImg = spawnSync('qemu-img', ['--version']).error ? 'qemu-img is not installed' : false

test('images that qemu-img makes are taken, unless they reach out of themselves', { skip: qemuImg }, async () => {
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database)
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-test-'))
  const at = (name: string) => join(folder, name)
  const secret = at('secret')
  await writeFile(secret, Buffer.alloc(1024 * 1024, 'secret'))
  const made = async (format: string, options: string[] = [], name = `disk.${format}`) => {
    execFileSync('qemu-img', ['create', '-q', '-f', format, ...options, at(name), '1M'])
    return readFile(at(name))
  }
  try {
    const good: [string, Buffer][] = [
      ['qcow2', await made('qcow2')],
      ['qcow2', await made('qcow2', ['-o', 'compat=0.10'])],
      ['qcow2', await made('qcow2', ['-o', 'extended_l2=on,cluster_size=128k'])],
      ['qcow2', await made('qcow2', ['-o', 'compression_type=zstd'])],
      ['vmdk', await made('vmdk')],
      ['vmdk', await made('vmdk', ['-o', 'subformat=streamOptimized'])],
      ['vhdx', await made('vhdx')],
      ['vhd', await made('vpc', ['-o', 'force_size=on'])],
      ['vhd', await made('vpc', ['-o', 'subformat=fixed,force_size=on'])],
      ['vdi', await made('vdi')],
      ['raw', await made('raw')],
    ]
    for (const [format, bytes] of good) {
      const taken = await attempt(s, format, bytes)
      assert.equal(taken.status, 204, `${format}: ${taken.text}`)
      assert.equal(taken.virtual_size, 1024 * 1024, format)
      if (format === 'raw') continue
      const lied = await attempt(s, format === 'qcow2' ? 'vmdk' : 'qcow2', bytes)
      assert.equal(lied.status, 415)
      const hidden = await attempt(s, 'raw', bytes)
      assert.equal(hidden.status, 415, `${format} as raw`)
      assert.match(hidden.text, new RegExp(`disk_format is raw but its content is ${format}`))
    }
    const evil: [string, Buffer, RegExp][] = [
      ['qcow2', await made('qcow2', ['-b', secret, '-F', 'raw']), /backing file/],
      ['qcow2', await made('qcow2', ['-b', secret, '-F', 'raw', '-o', 'compat=0.10']), /backing file/],
      ['qcow2', await made('qcow2', ['-o', `data_file=${at('data')},data_file_raw=on`]), /external data file/],
      ['vmdk', await made('vmdk', ['-o', 'subformat=monolithicFlat']), /refers to other files/],
      ['vmdk', await made('vmdk', ['-o', 'subformat=twoGbMaxExtentSparse']), /refers to other files/],
      ['raw', await made('vmdk', ['-o', 'subformat=monolithicFlat'], 'x.vmdk'), /content is vmdk/],
      ['raw', await made('qed'), /content is qed/],
    ]
    for (const [format, bytes, why] of evil) {
      const refused = await attempt(s, format, bytes)
      assert.equal(refused.status, 415, String(why))
      assert.match(refused.text, why)
      assert.ok(!refused.text.includes(folder), 'what the image names is not told')
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})

onEachEngine('a disk that would grow beyond the limit is refused however small its file', async database => {
  await using s = await imageCloud(database, ['image.max_virtual_size_bytes=1073741824'])
  const bomb = Buffer.alloc(262_144)
  bomb.write('QFI\xfb', 0, 'latin1')
  bomb.writeUInt32BE(2, 4)
  bomb.writeUInt32BE(16, 20)
  bomb.writeBigUInt64BE(1_073_741_825n, 24)
  const large = await attempt(s, 'qcow2', bomb)
  assert.equal(large.status, 415)
  assert.match(large.text, /larger than the limit of 1073741824/)
  bomb.writeBigUInt64BE(2n ** 64n - 1n, 24)
  assert.equal((await attempt(s, 'qcow2', bomb)).status, 415)
  assert.equal((await attempt(s, 'qcow2', bomb.subarray(0, 50))).status, 415)
})

test('a VMDK whose extents are files of the host is refused in every dress', async () => {
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database)
  const text = (extent: string, type = 'monolithicFlat') =>
    `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="${type}"\n${extent}\n`
  const sparse = (descriptor: string, sectors = 2048n) => {
    const bytes = Buffer.alloc(65_536)
    bytes.write('KDMV')
    bytes.writeUInt32LE(1, 4)
    bytes.writeBigUInt64LE(sectors, 12)
    bytes.writeBigUInt64LE(1n, 28)
    bytes.writeBigUInt64LE(20n, 36)
    bytes.write(descriptor, 512)
    return bytes
  }
  const whole = text('RW 2048 SPARSE "disk.vmdk"', 'monolithicSparse')
  assert.equal((await attempt(s, 'vmdk', sparse(whole))).status, 204)
  const extents = ['RW 2048 FLAT "/etc/passwd" 0', 'RW 2048 SPARSE "/etc/passwd"', 'RW 2048 SPARSE "..\\passwd"']
  for (const extent of extents) {
    for (const type of ['monolithicFlat', 'monolithicSparse', 'streamOptimized', 'custom', 'vmfs']) {
      assert.equal((await attempt(s, 'vmdk', Buffer.from(text(extent, type)))).status, 415)
      assert.equal((await attempt(s, 'vmdk', sparse(text(extent, type)))).status, 415)
    }
    assert.equal((await attempt(s, 'raw', Buffer.from(text(extent)))).status, 415, 'as raw')
    assert.equal((await attempt(s, 'vmdk', sparse(`${whole}${extent}\n`))).status, 415, 'a second extent')
  }
  assert.equal((await attempt(s, 'vmdk', sparse(whole, 0n))).status, 415, 'a header that says to read the descriptor')
})

onEachEngine('to another project a private image does not exist, on no route', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make({ visibility: 'private', tags: ['tag'], name: 'private' })
  await s.fill(id, 'bytes')
  const routes = imageService.operations.filter(o => o.path.includes('{image_id}'))
  assert.ok(routes.length >= 16, 'all routes are tried')
  const bodies: Record<string, unknown> = {
    'image.images.update': JSON.stringify([{ op: 'replace', path: '/name', value: 'stolen' }]),
    'image.images.import': { method: { name: 'glance-direct' } },
    'image.members.create': { member: s.other.id },
    'image.members.update': { status: 'accepted' },
  }
  const reader = await s.cloud.project('reading', 'reader')
  for (const { id: name, method, path, raw } of routes) {
    const to = (image: string) =>
      path.replace('{image_id}', image).replace('{tag}', 'tag').replace('{member_id}', s.other.id)
    const headers: Record<string, string> = raw
      ? { 'content-type': 'application/octet-stream' }
      : name === 'image.images.update'
        ? { 'content-type': 'application/openstack-images-v2.1-json-patch' }
        : {}
    const body = raw ? 'stolen' : bodies[name]
    const options = { headers, ...(body !== undefined && { body }) }
    const answer = await s.call<unknown>(s.other, method, to(id), options)
    // The cache is for administrators: others are told so before it is looked for anything.
    const statuses = name.startsWith('image.cache.') ? [403, 404] : [404]
    assert.ok(statuses.includes(answer.status), name)
    const absent = await s.call<unknown>(s.other, method, to('00000000-0000-4000-8000-000000000000'), options)
    assert.equal(answer.status, absent.status, name)
    assert.equal(
      String(answer.body).replaceAll(id, 'X'),
      String(absent.body).replaceAll('00000000-0000-4000-8000-000000000000', 'X'),
      `${name} tells an image of others from none`,
    )
    assert.equal((await s.call(reader, method, to(id), options)).status, answer.status, name)
    const anonymous = await s.cloud.request(method, `/image${to(id)}`, options)
    assert.equal(anonymous.status, 401, name)
  }
  const image = (await s.call(s.mine, 'GET', `/v2/images/${id}`)).body
  assert.equal(image.name, 'private')
  assert.deepEqual(image.tags, ['tag'])
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}/file`)).body as unknown, 'bytes')
})

onEachEngine(
  'what is public or offered to the community is read by all and changed by its owner alone',
  async database => {
    await using s = await imageCloud(database)
    const { id } = await s.make({ visibility: 'community', name: 'ours' })
    await s.fill(id, 'bytes')
    const reader = await s.cloud.project('reading', 'reader')
    const at = `/v2/images/${id}`
    assert.equal((await s.call(s.other, 'GET', at)).status, 200)
    assert.equal((await s.call(s.other, 'GET', `${at}/file`)).status, 200)
    assert.equal((await s.call(reader, 'GET', at)).status, 200)
    assert.equal((await s.call(reader, 'GET', `${at}/file`)).status, 403)
    for (const [method, path, options] of [
      ['DELETE', at, {}],
      ['PUT', `${at}/tags/t`, {}],
      ['DELETE', `${at}/tags/t`, {}],
      ['POST', `${at}/actions/deactivate`, {}],
      ['POST', `${at}/actions/reactivate`, {}],
      ['PUT', `${at}/file`, upload('other')],
      ['PUT', `${at}/stage`, upload('other')],
      ['POST', `${at}/import`, { body: { method: { name: 'glance-direct' } } }],
    ] as const)
      assert.equal((await s.call(s.other, method, path, options)).status, 403, `${method} ${path}`)
    assert.equal((await s.patch(s.other, id, [{ op: 'replace', path: '/name', value: 'theirs' }])).status, 403)
    assert.equal((await s.call<unknown>(s.other, 'GET', '/v2/info/stores/detail')).status, 403)
  },
)

test('names of properties and paths that JavaScript or a file system would misread are mere text', async () => {
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database)
  const { id } = await s.make({ constructor: 'a', toString: 'b', '../../x': 'c' })
  const { body } = await s.call(s.mine, 'GET', `/v2/images/${id}`)
  assert.equal(body.constructor as unknown, 'a')
  assert.equal(body['../../x'], 'c')
  const odd = ['..%2f..%2fetc%2fpasswd', '%2e%2e', 'x%00', "'%20or%201=1--", '%F0%9F%92%A5']
  for (const image of odd) assert.equal((await s.call(s.mine, 'GET', `/v2/images/${image}/file`)).status, 404, image)
  const script = await s.call<string>(s.mine, 'GET', '/v2/images/%3Cscript%3E')
  assert.equal(script.status, 404)
  assert.ok(!script.body.includes('<script>'))
})
