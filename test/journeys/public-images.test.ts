/** A public image server, on which the cloud has no rights: a real guest boots from its image, and the snapshot lands here (S-302). */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { call, login } from './http.ts'
import { createStage, missingForReal } from './stage.ts'

interface Image {
  id: string
  status: string
  stores?: string
  size: number | null
  checksum: string | null
}

const port = 8790

test('a server boots from an image that stays on a public server', {
  skip: missingForReal(),
  timeout: 1_200_000,
}, async () => {
  await using stage = await createStage({ cold: true })
  const site = join(stage.dir, 'site')
  mkdirSync(site)
  mkdirSync(stage.data)
  // Loopback stands for the Internet here.
  const image = { stores: { web: { type: 'http' } }, import_networks: ['127.0.0.0/8'], import_ports: [port] }
  writeFileSync(join(stage.data, 'nephos.yaml'), stringify({ image }))
  await stage.up(['--virt', 'qemu', '--network', 'linux'])
  await stage.os(['image', 'save', '--file', join(site, 'disk.raw'), 'tiny'])

  const [file, args] = stage.inside('python3', [
    ...['-m', 'http.server', '--bind', '127.0.0.1', '--directory', site, String(port)],
  ])
  const server = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let asked = ''
  server.stderr.on('data', piece => {
    asked += piece
  })
  try {
    const token = await login(stage, 'nephos')
    const send = async <T>(method: string, path: string, body?: unknown) => {
      const answer = await call<T>(stage, method, `/image/v2${path}`, token, body)
      assert.ok(answer && answer.status < 300, `${method} ${path}: ${answer?.status} ${JSON.stringify(answer?.body)}`)
      return answer.body
    }
    const tiny = await stage.json<Image & { disk_format: string }>(['image', 'show', 'tiny'])
    const body = { name: 'far', disk_format: tiny.disk_format, container_format: 'bare' }
    const { id } = await send<Image>('POST', '/images', body)
    const listens = () => stage.run('curl', ['-sfI', '-o', '/dev/null', `http://127.0.0.1:${port}/disk.raw`])
    await stage.until('the web server listens', async () => (await listens()).code === 0)
    await send('POST', `/images/${id}/locations`, { url: `http://127.0.0.1:${port}/disk.raw` })
    const far = await stage.until('the image is known', async () => {
      const shown = await send<Image>('GET', `/images/${id}`)
      return shown.checksum === null ? undefined : shown
    })
    assert.deepEqual([far.status, far.stores, far.checksum], ['active', 'web', tiny.checksum])

    const flags = ['--flavor', 'm1.nano', '--network', 'private', '--wait']
    await stage.os(['server', 'create', '--image', 'far', ...flags, 'guest'], { timeout: 600_000 })
    await stage.until(
      'the guest is up',
      async () => /login:/.test(await stage.os(['console', 'log', 'show', 'guest'])),
      {
        timeout: 300_000,
        every: 2000,
      },
    )
    await stage.os(['server', 'image', 'create', '--name', 'snap', '--wait', 'guest'], { timeout: 600_000 })
    const snap = await send<{ images: Image[] }>('GET', '/images?name=snap')
    assert.deepEqual([snap.images[0]!.status, snap.images[0]!.stores], ['active', 'file'])
    assert.ok(readFileSync(join(site, 'disk.raw')).length === tiny.size, 'the public server is as it was')
    assert.match(asked, /"GET \/disk\.raw/)
    assert.doesNotMatch(asked, /"(PUT|POST|DELETE) /)
    await stage.os(['server', 'delete', '--wait', 'guest'])
  } finally {
    server.kill()
  }
})
