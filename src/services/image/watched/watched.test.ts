/** Disks that lie in a folder, an NFS share perhaps, are images by themselves (S-306). */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '#kernel/db/database.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { imageCloud, type ShownImage } from '../fixtures/image-cloud.ts'
import { look } from '../watched-folder.ts'
import { disksIn } from './watched.ts'

async function watching(database: Database) {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-watched-'))
  const stores = { share: { type: 'watched', directory: folder } }
  const s = await imageCloud(database, [`image.stores=${JSON.stringify(stores)}`])
  const look = () => s.cloud.reconcile('image.watched-folders')
  const list = async (name: string) =>
    (await s.call<{ images: ShownImage[] }>(s.mine, 'GET', `/v2/images?name=${name}`)).body.images
  return {
    ...s,
    folder,
    at: (name: string) => join(folder, name),
    look,
    /** Looks until what is there has become images. */
    async settle() {
      await look()
      await look()
    },
    list,
    async [Symbol.asyncDispose]() {
      await s[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

const bytes = Buffer.alloc(700_000, 'a disk of a share')

onEachEngine(
  'a file in a watched folder is an image for everybody; when it goes its image is marked',
  async database => {
    await using s = await watching(database)
    await writeFile(s.at('deb.raw'), bytes)
    await writeFile(s.at('README'), 'no disk')
    await writeFile(
      s.at('bad.qcow2'),
      Buffer.concat([Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), Buffer.alloc(600, 255)]),
    )
    await symlink('/etc/hostname', s.at('link.raw'))
    await s.look()
    assert.deepEqual(await s.list('deb'), [], 'it may still be written')
    await s.look()
    const [image] = await s.list('deb')
    const checksum = createHash('md5').update(bytes).digest('hex')
    const { status, visibility, disk_format, size, stores } = image!
    assert.deepEqual(
      { status, visibility, disk_format, size, stores, checksum: image!.checksum },
      { status: 'active', visibility: 'public', disk_format: 'raw', size: bytes.length, stores: 'share', checksum },
    )
    for (const name of ['bad', 'link', 'README']) assert.deepEqual(await s.list(name), [], name)

    const file = `/v2/images/${image!.id}/file`
    const part = await s.call<string>(s.other, 'GET', file, { headers: { range: 'bytes=2-5' } })
    assert.deepEqual([part.status, part.body], [206, 'disk'])
    const put = await s.call(s.mine, 'DELETE', `/v2/images/${image!.id}`)
    assert.equal(put.status, 403, 'nobody’s image but the cloud’s')

    await rename(s.at('deb.raw'), s.at('elsewhere'))
    assert.equal((await s.call(s.other, 'GET', file)).status, 503, 'before anybody has looked')
    await s.look()
    const gone = (await s.list('deb'))[0]!
    assert.equal(gone.status, 'deactivated')
    assert.ok(gone.os_glance_missing_since)
    assert.equal((await s.call(s.mine, 'GET', file)).status, 403)

    await rename(s.at('elsewhere'), s.at('deb.raw'))
    await s.settle()
    const again = (await s.list('deb'))[0]!
    assert.deepEqual([again.id, again.status, again.os_glance_missing_since], [image!.id, 'active', undefined])
    assert.equal((await s.call(s.mine, 'GET', file)).status, 200)
  },
)

onEachEngine('other bytes under the same name are another image; one that was deleted stays so', async database => {
  await using s = await watching(database)
  await writeFile(s.at('deb.raw'), bytes)
  await s.settle()
  const [first] = await s.list('deb')
  await writeFile(s.at('deb.raw'), Buffer.alloc(bytes.length, 'something else'))
  const file = `/v2/images/${first!.id}/file`
  assert.equal((await s.call(s.mine, 'GET', file)).status, 503, 'never other bytes than were registered')
  await s.settle()
  const both = await s.list('deb')
  assert.deepEqual(both.map(one => [one.id === first!.id, one.status]).sort(), [
    [false, 'active'],
    [true, 'deactivated'],
  ])
  assert.equal((await s.call(s.admin, 'GET', file)).status, 503, 'nor when those are an image of their own')
  for (const { id } of both) assert.equal((await s.call(s.admin, 'DELETE', `/v2/images/${id}`)).status, 204)
  await s.settle()
  assert.deepEqual(await s.list('deb'), [])
  await rm(s.at('deb.raw'))
  await s.look()
  await writeFile(s.at('deb.raw'), bytes)
  await s.settle()
  assert.equal((await s.list('deb')).length, 1)
})

onEachEngine('an image that was reactivated without its file has it again when it is there', async database => {
  await using s = await watching(database)
  await writeFile(s.at('deb.raw'), bytes)
  await s.settle()
  await rename(s.at('deb.raw'), s.at('elsewhere'))
  await s.look()
  const { id } = (await s.list('deb'))[0]!
  assert.equal((await s.call(s.admin, 'POST', `/v2/images/${id}/actions/reactivate`)).status, 204)
  await rename(s.at('elsewhere'), s.at('deb.raw'))
  await s.settle()
  const [image, ...more] = await s.list('deb')
  assert.deepEqual([image!.id, image!.status, image!.os_glance_missing_since, more], [id, 'active', undefined, []])
  assert.equal((await s.call(s.other, 'GET', `/v2/images/${id}/file`)).status, 200)
})

onEachEngine('an image that was copied to another store does not need its file', async database => {
  await using s = await watching(database)
  await writeFile(s.at('deb.raw'), bytes)
  await s.settle()
  const [image] = await s.list('deb')
  const body = { method: { name: 'copy-image' }, stores: ['file'] }
  assert.equal((await s.call(s.admin, 'POST', `/v2/images/${image!.id}/import`, { body })).status, 202)
  await s.cloud.env.sagas.idle()
  assert.equal((await s.list('deb'))[0]!.stores, 'share,file')
  await rm(s.at('deb.raw'))
  await s.look()
  assert.equal((await s.list('deb'))[0]!.status, 'active')
  const part = await s.call<string>(s.other, 'GET', `/v2/images/${image!.id}/file`, { headers: { range: 'bytes=2-5' } })
  assert.deepEqual([part.status, part.body], [206, 'disk'])
})

onEachEngine(
  'while a share is not mounted its images stay what they are; one that is emptied loses them',
  async database => {
    await using s = await watching(database)
    await writeFile(s.at('deb.raw'), bytes)
    await s.settle()
    const status = async () => (await s.list('deb')).map(image => image.status)
    await rename(s.folder, `${s.folder}.away`)
    await mkdir(s.folder)
    await s.settle()
    assert.deepEqual(await status(), ['active'], 'what it was mounted on is empty')
    await rm(s.folder, { recursive: true })
    await rename(`${s.folder}.away`, s.folder)
    await s.settle()
    assert.deepEqual(await status(), ['active'])
    await rm(s.at('deb.raw'))
    await s.settle()
    assert.deepEqual(await status(), ['deactivated'])
  },
)

onEachEngine('a share that goes away while it is looked at keeps its images', async database => {
  await using s = await watching(database)
  await writeFile(s.at('deb.raw'), bytes)
  await s.settle()
  const away = `${s.folder}.away`
  const unmount = async () => {
    await rename(s.folder, away)
    await mkdir(s.folder)
  }
  const mount = async () => {
    await rm(s.folder, { recursive: true })
    await rename(away, s.folder)
  }
  const ctx = s.cloud.ctx()
  const [after, before]: (typeof disksIn)[] = [
    async (env, store) => {
      const found = await disksIn(env, store)
      await unmount()
      return found
    },
    async (env, store) => {
      await unmount()
      return disksIn(env, store)
    },
  ]
  for (const unmounted of [after!, before!]) {
    await assert.rejects(look(ctx, 'share', unmounted), /was mounted or unmounted meanwhile/)
    await s.settle()
    assert.deepEqual(
      (await s.list('deb')).map(image => image.status),
      ['active'],
    )
    await mount()
  }
})
