/** Room that kept files of deleted guests give up for new ones. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { needSpace, type QemuHost } from './host.ts'
import { purgeKept } from './kept.ts'

test('what does not fit asks kept files for their room, the oldest first; what fits leaves them', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'nephos-kept-'))
  t.after(() => rm(dir, { recursive: true }))
  const instances = join(dir, 'instances')
  const purges: string[][] = []
  const host: QemuHost = {
    ...{ dir, instances, images: join(dir, 'images'), qemu: 'none', user: undefined },
    ...{ log: silentLog(), clock: systemClock() },
    makeRoom: async bytes => purges.push(await purgeKept(host, bytes)),
  }
  for (const [id, day] of [
    ['young', '02'],
    ['old', '01'],
  ] as const) {
    await mkdir(join(instances, `${id}.kept`), { recursive: true })
    const note = { until: '2999-01-01T00:00:00.000Z', deleted_at: `2026-01-${day}T00:00:00.000Z`, free_percent: 0 }
    await writeFile(join(instances, `${id}.kept`, 'kept.json'), JSON.stringify(note))
  }
  await mkdir(join(instances, 'running'))
  await needSpace(host, instances, 0, 'nothing much')
  assert.deepEqual(purges, [])
  await assert.rejects(needSpace(host, instances, Number.MAX_SAFE_INTEGER, 'a disk'), /no room for a disk/)
  assert.deepEqual(purges, [['old', 'young']])
  assert.deepEqual(await readdir(instances), ['running'])
})
