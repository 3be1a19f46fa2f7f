/** A real guest whose root the cloud grows by the agent in it: on a larger flavor it is larger, and after a resize larger still. What it would grow by itself it is told to leave. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildTinyImage } from '../../src/cli/image-build.ts'
import { call, login } from './http.ts'
import { createStage, missingForReal } from './stage.ts'

const minutes = 60_000
const newest = ['--os-compute-api-version', '2.84']

interface Filesystem {
  mountpoint: string
  total_bytes: number
}

test('df shows the larger root on a larger flavor, and a larger one after a resize', {
  skip: missingForReal(),
  timeout: 40 * minutes,
}, async () => {
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  const tiny = await buildTinyImage({ refresh: false })
  const made = async (...args: string[]) => (await stage.json<{ id: string }>(args)).id
  const image = (name: string, file: string, format: string, ...properties: string[]) => {
    const said = properties.flatMap(property => ['--property', property])
    return made('image', 'create', '--file', file, '--disk-format', format, '--container-format', 'bare', ...said, name)
  }
  const parts = [
    `kernel_id=${await image('kernel', tiny.kernel, 'raw')}`,
    `ramdisk_id=${await image('ramdisk', tiny.ramdisk, 'raw')}`,
  ]
  const said = [`os_command_line=${tiny.kernelArguments} nogrow`, 'hw_qemu_guest_agent=yes', 'auto_disk_config=true']
  const imageRef = await image('still', tiny.disk, 'qcow2', ...parts, ...said)
  const flavor = (name: string, disk: string) =>
    stage.os(['flavor', 'create', '--vcpus', '1', '--ram', '128', '--disk', disk, name], { as: 'nephos-admin' })
  await flavor('two', '2')
  await flavor('three', '3')
  const id = await made('server', 'create', '--image', imageRef, '--flavor', 'two', '--network', 'private', 'growing')

  const admin = await login(stage, 'nephos-admin')
  /** Mebibytes of its root, as the guest says. */
  const size = async () => {
    const path = `/compute/v2.1/servers/${id}/diagnostics?filesystems=true`
    const answer = await call<{ filesystems?: Filesystem[] }>(stage, 'GET', path, admin)
    const root = answer?.body.filesystems?.find(({ mountpoint }) => mountpoint === '/')
    return root && Math.round(root.total_bytes / 1024 ** 2)
  }
  const grown = async (least: number, most: number) => {
    const larger = async () => {
      const now = (await size()) ?? 0
      return now > least ? now : undefined
    }
    const now = await stage.until('it has grown', larger, { timeout: 10 * minutes, every: 2000 })
    assert.ok(now < most, `${now} MiB`)
  }
  await grown(1700, 2048)
  const events = async () =>
    (await stage.json<{ Action: string; Message: string | null }[]>([...newest, 'server', 'event', 'list', id])).filter(
      ({ Action }) => Action === 'grow_disk',
    )
  assert.equal((await events()).length, 1)

  await stage.os(['server', 'resize', '--flavor', 'three', '--wait', id], { timeout: 10 * minutes })
  // A server that is not confirmed yet tells no figures.
  await stage.os(['server', 'resize', 'confirm', id])
  await grown(2700, 3072)
  await stage.until('both are through', async () => {
    const all = await events()
    return all.length === 2 && all.every(({ Message }) => !Message)
  })
  await stage.os(['server', 'delete', '--wait', id])
})
