/** An import that is killed, fails or loses its image at whichever step ends rightly, and nothing of it is left behind; nor of a location on the web. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Clock } from '#kernel/clock.ts'
import { virtualClock } from '#kernel/clock.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import type { ProbePoint, SagaProbe } from '#kernel/saga/run.ts'
import { type Answer, type TestCloud, type TestProject, testCloud } from '../../../../test/harness.ts'
import { upload } from '../fixtures/image-cloud.ts'
import { opened, web } from '../fixtures/web.ts'

type Place = Pick<ProbePoint, 'step' | 'at'>
type Call = <T>(method: string, path: string, options?: object) => Promise<Answer<T>>

interface Way {
  saga: 'image.import' | 'image.web-location'
  /** What the image is in the end, and the store that must have it. */
  store: string
  /** Places that are tried at least. */
  places: number
  /** Makes an image and asks for its import; gives the id. */
  begin(call: Call, site: string): Promise<string>
  /** What the image is when it fails: status, checksum and stores. */
  fails: RegExp
  /** Settings of the cloud. */
  set?: string[]
  /** MD5 of what the image holds in the end. */
  digest?: string
  skip?: string | false
}

const bytes = 'bytes of a disk'
const digest = createHash('md5').update(bytes).digest('hex')
const stores = ['file', 'second']

const qemuImg = spawnSync('qemu-img', ['--version']).error ? 'qemu-img is not installed' : false

/** An empty disk of 64 KiB. */
function qcow2(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'nephos-image-crash-'))
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(folder, 'disk'), '64k'])
  const disk = readFileSync(join(folder, 'disk'))
  rmSync(folder, { recursive: true })
  return disk
}

async function make(call: Call, disk_format = 'raw'): Promise<string> {
  const body = { name: 'disk', disk_format, container_format: 'bare' }
  return (await call<{ id: string }>('POST', '/v2/images', { body })).body.id
}

async function ask(call: Call, id: string, method: object, to = stores): Promise<string> {
  const body = { method, stores: to, all_stores_must_succeed: true }
  assert.equal((await call('POST', `/v2/images/${id}/import`, { body })).status, 202)
  return id
}

const imports = { saga: 'image.import', store: 'second', places: 12 } as const

const ways: Record<string, Way> = {
  'glance-direct': {
    ...imports,
    async begin(call) {
      const id = await make(call)
      assert.equal((await call('PUT', `/v2/images/${id}/stage`, upload(bytes))).status, 204)
      return ask(call, id, { name: 'glance-direct' })
    },
    fails: /^queued$/,
  },
  'glance-direct, converted': {
    ...imports,
    places: 12,
    skip: qemuImg,
    set: ['image.convert_imports_to=raw'],
    digest: createHash('md5').update(Buffer.alloc(65_536)).digest('hex'),
    async begin(call) {
      const id = await make(call, 'qcow2')
      assert.equal((await call('PUT', `/v2/images/${id}/stage`, upload(qcow2()))).status, 204)
      return ask(call, id, { name: 'glance-direct' }, ['second'])
    },
    fails: /^queued$/,
  },
  'web-download': {
    ...imports,
    begin: async (call, site) => ask(call, await make(call), { name: 'web-download', uri: site }),
    fails: /^queued$/,
  },
  'copy-image': {
    ...imports,
    async begin(call) {
      const id = await make(call)
      assert.equal((await call('PUT', `/v2/images/${id}/file`, upload(bytes))).status, 204)
      return ask(call, id, { name: 'copy-image' }, ['second'])
    },
    fails: new RegExp(`^active ${digest} file$`),
  },
  'a location on the web': {
    saga: 'image.web-location',
    store: 'web',
    places: 3,
    async begin(call, site) {
      const id = await make(call)
      assert.equal((await call('POST', `/v2/images/${id}/locations`, { body: { url: site } })).status, 202)
      return id
    },
    fails: /^queued +web$/,
  },
}

const wholeOf = ({ store, digest: own = digest }: Way) => new RegExp(`^active ${own} .*${store}`)

/** Time that stands still for a process that was killed. */
function mortal(clock: Clock) {
  let dead = false
  return {
    clock: { ...clock, after: (ms: number, fn: () => void) => clock.after(ms, () => void (dead || fn())) },
    kill: () => {
      dead = true
    },
  }
}

/** One process after another on the same database and folders. */
async function stage({ set: more = [] }: Way) {
  const site = await web((_request, response) => void response.end(bytes))
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-crash-'))
  const folders = stores.map(store => join(folder, store))
  const database = openSqlite(':memory:')
  const held = async () => (await Promise.all(folders.map(path => readdir(path).catch(() => [])))).flat()
  const clock = virtualClock(Date.now())
  const set = [
    ...opened,
    ...more,
    `image.directory=${folders[0]}`,
    `image.stores={"second":{"type":"file","directory":"${folders[1]}"},"web":{"type":"http"}}`,
  ]
  let probe: SagaProbe = () => {}
  async function boot() {
    const life = mortal(clock)
    const cloud = await testCloud({ database, clock: life.clock, set, sagaProbe: point => probe(point) })
    return { cloud, life }
  }
  let process = await boot()
  const who: TestProject = await process.cloud.project('mine', 'admin')
  const call: Call = (method, path, options) =>
    process.cloud.request(method, `/image${path}`, { token: who.token, ...options })
  return {
    clock,
    call,
    cloud: (): TestCloud => process.cloud,
    setProbe: (next: SagaProbe) => {
      probe = next
    },
    begin: (way: Way) => way.begin(call, site.url),
    async restart() {
      process.life.kill()
      process.cloud.alive[Symbol.dispose]()
      probe = () => {}
      process = await boot()
      await process.cloud.begin()
      await process.cloud.env.sagas.idle()
    },
    async shown(id: string) {
      const { status, body } = await call<Record<string, unknown>>('GET', `/v2/images/${id}`)
      if (status === 404) return 'gone'
      assert.equal(body.os_glance_import_task, undefined, 'no import is under way')
      assert.equal(body.os_glance_importing_to_stores ?? '', '')
      return `${body.status} ${body.checksum ?? ''} ${body.stores ?? ''}`.trim()
    },
    /** Deletes what is left, cleans up as the cloud does in time, and gives the files that are there nevertheless. */
    async leftovers(id: string): Promise<string[]> {
      await call('DELETE', `/v2/images/${id}`)
      await clock.advance(600_000)
      await process.cloud.reconcile('image.orphan-files')
      const { body } = await call<{ tasks: { status: string }[] }>('GET', '/v2/tasks?limit=1000')
      assert.ok(
        body.tasks.every(task => ['success', 'failure'].includes(task.status)),
        'every task has ended',
      )
      return held()
    },
    held,
    async [Symbol.asyncDispose]() {
      await process.cloud[Symbol.asyncDispose]()
      await site[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Stage = Awaited<ReturnType<typeof stage>>

async function placesOf(s: Stage, way: Way): Promise<Place[]> {
  const places: Place[] = []
  s.setProbe(point => void (point.saga === way.saga && places.push(point)))
  const id = await s.begin(way)
  await s.cloud().env.sagas.idle()
  s.setProbe(() => {})
  assert.match(await s.shown(id), wholeOf(way))
  assert.deepEqual(await s.leftovers(id), [])
  assert.ok(places.length >= way.places, 'a step of each kind')
  return places
}

/** Is called back at one place of an import, once. */
function at({ saga }: Way, place: Place, then: (point: ProbePoint) => Promise<void> | void) {
  const reached = Promise.withResolvers<void>()
  let times = 0
  const probe: SagaProbe = point => {
    if (point.saga !== saga || point.at !== place.at || point.step !== place.step || ++times > 1) return
    reached.resolve()
    return then(point)
  }
  return { probe, reached: reached.promise }
}

const killed = () => new Promise<never>(() => {})

for (const [name, way] of Object.entries(ways)) {
  const { skip = false } = way
  test(`${name}: a kill at every step is taken up by the next process`, { skip }, async () => {
    await using s = await stage(way)
    for (const place of await placesOf(s, way)) {
      const { probe, reached } = at(way, place, killed)
      s.setProbe(probe)
      const id = await s.begin(way)
      await reached
      await s.restart()
      assert.match(await s.shown(id), wholeOf(way), `killed ${place.at} ${place.step}`)
      assert.deepEqual(await s.leftovers(id), [], `killed ${place.at} ${place.step}`)
    }
  })

  test(`${name}: a failure at every step is undone, also when the process is killed meanwhile`, { skip }, async () => {
    await using s = await stage(way)
    for (const place of await placesOf(s, way)) {
      for (const dies of [false, true]) {
        const where = `failed ${place.at} ${place.step}${dies ? ' and killed' : ''}`
        let undoing = false
        const { probe, reached } = at(way, place, () => {
          undoing = true
          throw new Error('injected')
        })
        s.setProbe(point => (dies && undoing && point.at === 'undo' ? killed() : probe(point)))
        const id = await s.begin(way)
        await reached
        if (dies) {
          for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve))
          await s.restart()
        } else await s.cloud().env.sagas.idle()
        const after = await s.shown(id)
        assert.ok(way.fails.test(after) || (place.at === 'journaled' && wholeOf(way).test(after)), `${where}: ${after}`)
        assert.deepEqual(await s.leftovers(id), [], where)
      }
    }
  })

  test(`${name}: a delete at every step wins`, { skip }, async () => {
    await using s = await stage(way)
    for (const place of await placesOf(s, way)) {
      const { probe, reached } = at(way, place, async ({ subject }) => {
        assert.equal((await s.call('DELETE', `/v2/images/${subject}`)).status, 204)
      })
      s.setProbe(probe)
      const id = await s.begin(way)
      await reached
      await s.cloud().env.sagas.idle()
      assert.equal(await s.shown(id), 'gone', `deleted ${place.at} ${place.step}`)
      assert.deepEqual(await s.leftovers(id), [], `deleted ${place.at} ${place.step}`)
    }
  })
}

test('what an import has brought to a store is no orphan while the rest is still to come', async () => {
  await using s = await stage(ways['copy-image']!)
  const { probe, reached } = at(ways['copy-image']!, { step: 'copy to second', at: 'journaled' }, async () => {
    await s.clock.advance(600_000)
    await s.cloud().reconcile('image.orphan-files')
  })
  s.setProbe(probe)
  const id = await s.begin(ways['copy-image']!)
  await reached
  await s.cloud().env.sagas.idle()
  assert.match(await s.shown(id), wholeOf(ways['copy-image']!))
  assert.equal((await s.held()).length, 2)
})
