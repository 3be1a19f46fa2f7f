/** Incremental backups of a real guest by the real client: what is uploaded, what may be deleted, and a server made of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createStage, missingForReal, type Stage } from './stage.ts'

const mebibyte = 1024 ** 2

interface Image {
  id: string
  status: string
  size: number
  properties: Record<string, unknown>
}

test('a second backup uploads what has changed, and a server made of it has all', {
  skip: missingForReal(),
  timeout: 3_600_000,
}, async t => {
  await using stage = await createStage({ cold: true, flags: ['--virt', 'qemu', '--network', 'linux'] })
  await stage.up(undefined, { timeout: 600_000 })
  const one = await booted(stage, 'one', 'tiny')
  await inGuest(stage, one, 'dd if=/dev/urandom of=/root/before bs=1M count=5; sync; echo wrote $?', /\nwrote 0/)
  const first = await backup(stage, 'first')
  assert.equal(first.properties.os_glance_base_image_id, undefined)

  // The host goes on counting while the cloud is away.
  await stage.kill()
  await inGuest(
    stage,
    one,
    'dd if=/dev/urandom of=/root/after bs=1M count=10; sync; echo wrote again $?',
    /\nwrote again 0/,
  )
  await inGuest(stage, one, 'cat /root/before /root/after | md5sum', /\n[0-9a-f]{32} /)
  const sum = /\n([0-9a-f]{32}) /.exec(await printed(stage, one))![1]!
  await stage.up(undefined, { timeout: 600_000 })
  const second = await backup(stage, 'second')
  t.diagnostic(`first: ${first.size} bytes, second: ${second.size} bytes`)
  assert.equal(second.properties.os_glance_base_image_id, first.id)
  assert.ok(second.size >= 10 * mebibyte && second.size < 14 * mebibyte, `${second.size} bytes`)

  const deleted = await stage.run('openstack', ['image', 'delete', 'first'])
  t.diagnostic(deleted.err.trim())
  assert.ok(deleted.code !== 0 && /409/.test(deleted.err))
  const saved = await stage.run('openstack', ['image', 'save', '--file', join(stage.dir, 'saved'), 'second'])
  assert.notEqual(saved.code, 0, 'it is no disk by itself')

  await stage.os(['server', 'stop', 'one'])
  const status = async () => (await stage.json<{ status: string }>(['server', 'show', 'one'])).status
  await stage.until('it is off', async () => (await status()) === 'SHUTOFF', { timeout: 900_000 })
  const third = await backup(stage, 'third')
  t.diagnostic(`third, of the server that is off: ${third.size} bytes`)
  assert.equal(third.properties.os_glance_base_image_id, second.id)

  const two = await booted(stage, 'two', 'third')
  await inGuest(stage, two, 'cat /root/before /root/after | md5sum', new RegExp(`\n${sum} `))
})

async function booted(stage: Stage, name: string, image: string): Promise<string> {
  const words = ['--image', image, '--flavor', 'm1.nano', '--network', 'private', '--wait', name]
  const { id } = await stage.json<{ id: string }>(['server', 'create', ...words], { timeout: 900_000 })
  await says(stage, id, /login: $/)
  await inGuest(stage, id, 'root', /Password: $/)
  await inGuest(stage, id, 'tiny', /~ # \S*$/)
  return id
}

async function backup(stage: Stage, name: string): Promise<Image> {
  const words = ['--type', 'incremental', '--rotate', '3', '--name', name, '--wait', 'one']
  await stage.os(['server', 'backup', 'create', ...words], { timeout: 900_000 })
  const image = await stage.json<Image>(['image', 'show', name])
  assert.equal(image.status, 'active')
  return image
}

const filesOf = (stage: Stage, id: string) => join(stage.data, 'hosts', hostname(), 'instances', id)

/** What the guest has printed to its serial console; also while the cloud is away. */
async function printed(stage: Stage, id: string): Promise<string> {
  return (await stage.run('cat', [join(filesOf(stage, id), 'console.log')])).out.replaceAll('\r', '')
}

const says = (stage: Stage, id: string, text: RegExp) =>
  stage.until(`the guest says ${text}`, async () => text.test(await printed(stage, id)), { timeout: 900_000 })

async function inGuest(stage: Stage, id: string, command: string, expected: RegExp): Promise<void> {
  const socket = createConnection(join(filesOf(stage, id), 'run/tty'))
  await once(socket, 'connect')
  socket.resume()
  socket.write(`${command}\n`)
  await says(stage, id, expected)
  socket.destroy()
}
