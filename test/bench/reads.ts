/** Reads and logins, and how they go with more clients; how late the event loop runs meanwhile. */
import { type Bench, flavorsByName } from './cloud.ts'
import { login } from './process.ts'
import { lateDuring, noteCalls, noteLate, rate } from './table.ts'
import { timed } from './timing.ts'
import { uploadTimes } from './upload.ts'

export async function measureReads(bench: Bench, quick: boolean): Promise<void> {
  const { table, baseline, child, demo, admin, token, entry } = bench
  const times = quick ? 1 : 10
  await timed(2 * times, 1, () => login(entry))
  const { late } = await noteCalls(table, baseline, child, {
    what: 'token issue by password, 4 clients',
    count: 20 * times,
    clients: 4,
    call: () => login(entry),
    measured: rate,
  })
  noteLate(table, 'logins by 4 clients', late)
  await noteCalls(table, baseline, child, {
    what: 'token validation, 8 clients',
    count: 200 * times,
    clients: 8,
    call: () => admin.get('/identity/v3/auth/tokens', { 'x-subject-token': token }),
    measured: rate,
  })
  const path = `/compute/v2.1/flavors/${(await flavorsByName(demo)).get('m1.nano')}`
  await timed(100 * times, 1, () => demo.get(path))
  const flavor = { what: 'GET flavor by id', budget: 'p99 < 5 ms', count: 200 * times, call: () => demo.get(path) }
  await noteCalls(table, baseline, child, flavor)
}

const megabyte = Buffer.alloc(1024 * 1024, 'bytes of an image ')

/** A large upload, and two at once. */
export async function measureUploads({ table, child, demo, admin, token }: Bench, quick: boolean): Promise<void> {
  const mebibytes = quick ? 16 : 2048
  const { growth, rate: speed } = await uploadTimes(child, demo, token, mebibytes)
  const size = `${mebibytes.toLocaleString('en')} MiB`
  const measured = `${growth.toFixed(0)} MiB`
  table.note({ what: `upload of ${size}: memory grows at most by (PSS)`, budget: '< 64 MiB', measured })
  table.note({ what: `upload of ${size}`, measured: `${speed.toFixed(0)} MiB/s` })
  const image = { disk_format: 'raw', container_format: 'bare' }
  const megabytes = quick ? 8 : 256
  const ids: string[] = []
  for (const name of ['upload-1', 'upload-2']) {
    const made = await admin.send<{ id: string }>('POST', '/image/v2/images', { ...image, name }, 201)
    ids.push(made.id)
  }
  const upload = () => Promise.all(ids.map(id => admin.put(`/image/v2/images/${id}/file`, bytes(megabytes), 204)))
  noteLate(table, '2 image uploads', await lateDuring(child, upload))
  for (const id of ids) await admin.remove(`/image/v2/images/${id}`, 204)
}

async function* bytes(megabytes: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < megabytes; i++) yield megabyte
}
