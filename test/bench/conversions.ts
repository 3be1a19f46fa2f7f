/** How the event loop goes while imported disks are converted. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './cloud.ts'
import { lateDuring, noteLate } from './table.ts'
import { ms, took } from './timing.ts'

/** What a cloud has to be started with. */
export function prepareConversions(data: string): void {
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'nephos.yaml'), 'image: { convert_imports_to: raw }\n')
}

/** Two disks of qcow2, staged before, become raw ones at once. */
export async function measureConversions({ table, child, demo, data }: Bench, quick: boolean): Promise<void> {
  const mebibytes = quick ? 8 : 256
  const what = `2 imports of ${mebibytes} MiB converted from qcow2 to raw`
  if (spawnSync('qemu-img', ['--version']).error)
    return table.note({ what, measured: 'skipped: qemu-img is not installed' })
  const file = makeDisk(data, mebibytes)
  const images: string[] = []
  for (const name of ['convert-1', 'convert-2']) {
    const body = { name, disk_format: 'qcow2', container_format: 'bare' }
    const { id } = await demo.send<{ id: string }>('POST', '/image/v2/images', body, 201)
    await demo.put(`/image/v2/images/${id}/stage`, createReadStream(file), 204)
    images.push(id)
  }
  rmSync(file)
  const work = async () => {
    for (const id of images)
      await demo.send('POST', `/image/v2/images/${id}/import`, { method: { name: 'glance-direct' } }, 202)
    await Promise.all(images.map(id => active(demo, id)))
  }
  let time = 0
  const late = await lateDuring(child, async () => {
    time = await took(work)
  })
  table.note({ what, measured: ms(time) })
  noteLate(table, '2 conversions', late)
  for (const id of images) await demo.remove(`/image/v2/images/${id}`, 204)
}

/** Full of bytes that differ. */
function makeDisk(folder: string, mebibytes: number): string {
  const [raw, file] = [join(folder, 'bench.raw'), join(folder, 'bench.qcow2')]
  const pieces = Array.from({ length: mebibytes }, (_, i) => Buffer.alloc(1024 * 1024, `piece ${i} of a disk `))
  writeFileSync(raw, Buffer.concat(pieces))
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, file])
  rmSync(raw)
  return file
}

const longestMs = 600_000
const pauseMs = 50

async function active(demo: Bench['demo'], id: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < longestMs; waitedMs += pauseMs) {
    const { status, disk_format } = await demo.json<{ status: string; disk_format: string }>(`/image/v2/images/${id}`)
    if (status === 'active' && disk_format === 'raw') return
    if (status === 'queued' || status === 'active') throw new Error(`the image ${id} is ${status} and ${disk_format}`)
    await sleep(pauseMs)
  }
  throw new Error(`the image ${id} was not converted in ${longestMs / 60_000} minutes`)
}
