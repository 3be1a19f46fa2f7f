/** kill -9 in the middle of an upload to a bucket: nothing of it stays, and the image can be uploaded again. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { systemClock } from '../../src/kernel/clock.ts'
import { s3Witness } from '../../src/services/image/fixtures/s3-witness.ts'
import { s3SettingsOf } from '../../src/services/image/s3-settings.ts'
import { s3Store } from '../../src/services/image/s3-store.ts'
import { logIn } from '../conformance/cloud.ts'
import { type S3Server, s3Server } from '../s3/server.ts'

const server = await s3Server()
const skip = 'missing' in server ? server.missing : false
after(async () => {
  if (!('missing' in server)) await server[Symbol.asyncDispose]()
})

/** Starts, or starts again, a simulated cloud on the folder. */
async function start(data: string): Promise<{ child: ChildProcess; url: string }> {
  const words = ['up', '--data', data, '--simulated', '--port', '0']
  const child = spawn(resolve(import.meta.dirname, '../../nephos'), words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const piece of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += piece
    const found = /^ready (http:\S+)/m.exec(text)
    if (found) return { child, url: found[1]! }
  }
  throw new Error(`the cloud ended:\n${text}`)
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

test('a cloud that is killed while parts go to a bucket leaves none there', { skip, timeout: 300_000 }, async () => {
  await using s3 = await s3Witness(server as S3Server)
  const dir = mkdtempSync(join(tmpdir(), 'nephos-s3-crash-'))
  const data = join(dir, 'data')
  mkdirSync(data)
  const { bucket } = s3.stores
  writeFileSync(join(data, 'nephos.yaml'), stringify({ image: { stores: { bucket } } }))
  await using store = s3Store(systemClock(), s3SettingsOf(bucket))
  const held = async () => (await store.list()).map(one => one.name)
  const files = () => readdirSync(join(data, 'images')).sort()
  let cloud = await start(data)
  try {
    const before = files()
    const cloudsFile = join(data, 'clouds.yaml')
    const admin = await logIn({ cloudsFile })
    const { id } = await admin.post<{ id: string }>('image', '/v2/images', {
      ...{ name: 'big', disk_format: 'raw', container_format: 'bare' },
    })
    const bytes = randomBytes(13 * 1024 * 1024)
    const headers = { 'content-type': 'application/octet-stream', 'x-image-meta-store': 'bucket' }
    const put = async () =>
      (await logIn({ cloudsFile })).request('image', `/v2/images/${id}/file`, { method: 'PUT', headers, body: bytes })
    const shown = async () => (await logIn({ cloudsFile })).get<Record<string, unknown>>('image', `/v2/images/${id}`)

    s3.hold(what => what.includes('partNumber=2'))
    const cut = put().catch(() => 'cut')
    while (!s3.seen.some(({ what }) => what.includes('partNumber=2')) || (await held()).length === 0) await sleep(20)
    await kill(cloud.child)
    assert.equal(await cut, 'cut')
    assert.deepEqual(
      (await held()).map(name => name.endsWith('.part')),
      [true],
    )
    s3.hold(() => false)

    cloud = await start(data)
    assert.equal((await shown()).status, 'saving')
    const advance = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"seconds":400}' }
    assert.equal((await fetch(`${cloud.url}/_nephos/clock/advance`, advance)).status, 200)
    while ((await held()).length > 0 || files().length > before.length) await sleep(50)
    assert.equal((await shown()).status, 'queued')
    assert.deepEqual(files(), before)

    await put()
    const { status, checksum, stores } = await shown()
    assert.deepEqual([status, checksum, stores], ['active', createHash('md5').update(bytes).digest('hex'), 'bucket'])
    assert.equal((await held()).length, 1)
  } finally {
    await kill(cloud.child)
    rmSync(dir, { recursive: true, force: true })
  }
})
