/** The power goes at each sync of an upload: one that was answered is there, any other may be begun anew, and no file is left over. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { settle, virtualClock } from '#kernel/clock.ts'
import { testCloud } from '../../../../test/harness.ts'
import { frailDisk } from '../../../../test/power.ts'
import { upload } from '../fixtures/image-cloud.ts'

test('an upload: a power cut at every sync', async () => {
  await using stack = new AsyncDisposableStack()
  const disk = stack.use(frailDisk())
  const folder = mkdtempSync(join(tmpdir(), 'nephos-power-images-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const clock = virtualClock(Date.now())
  const boot = () => testCloud({ database: disk.open(), clock, set: [`image.directory=${folder}`] })
  let cloud = await boot()
  stack.defer(() => cloud[Symbol.asyncDispose]())
  const { token } = await cloud.project('mine')
  const call = <T>(method: string, path: string, options: object = {}) =>
    cloud.request<T>(method, `/image/v2/images${path}`, { token, ...options })
  const image = { name: 'disk', disk_format: 'raw', container_format: 'bare' }

  let cuts = 0
  for (; ; cuts++) {
    const { id } = (await call<{ id: string }>('POST', '', { body: image })).body
    const dark = disk.cutAfter(cuts)
    let answered: number | undefined
    const work = call('PUT', `/${id}/file`, upload('bytes of a disk')).then(({ status }) => {
      answered = status
    })
    await Promise.race([work, dark])
    // The answer may be on its way.
    await settle(20)
    if (answered !== undefined) break
    cloud.alive[Symbol.dispose]()
    cloud = await boot()
    await cloud.begin()
    // By then nobody can be at work on it any more.
    await clock.advance(600_000)
    await cloud.reconcile('image.orphan-files')
    const { status } = (await call<{ status: string }>('GET', `/${id}`)).body
    assert.match(status, /^(queued|active)$/, `cut after ${cuts}`)
    if (status === 'queued') assert.equal((await call('PUT', `/${id}/file`, upload('bytes of a disk'))).status, 204)
    assert.equal((await call('GET', `/${id}/file`)).body, 'bytes of a disk')
    assert.equal((await call('DELETE', `/${id}`)).status, 204)
    await clock.advance(600_000)
    await cloud.reconcile('image.orphan-files')
    assert.deepEqual(readdirSync(folder), [], `cut after ${cuts}`)
  }
  assert.ok(cuts >= 2, 'its beginning and its end')
})
