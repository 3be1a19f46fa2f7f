/** Two clouds, and the images of one copied to the other. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { createStage, missingForClient, type Stage } from './stage.ts'

const skip = missingForClient()
const launcher = resolve(import.meta.dirname, '../../nephos')

/** A second cloud beside the stage's, in the same namespaces. The stage ends its process. */
async function secondCloud(stage: Stage): Promise<string> {
  const data = join(stage.dir, 'other')
  const [file, args] = stage.inside(launcher, ['up', '--data', data, '--port', '8775', '--simulated'])
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((done, failed) => {
    let text = ''
    child.stdout.on('data', chunk => {
      text += chunk
      if (/^ready http/m.test(text)) done()
    })
    child.once('exit', code => failed(new Error(`the second cloud ended with ${code}`)))
  })
  return data
}

test('images are replicated from one cloud to another', { skip, timeout: 600_000 }, async t => {
  await using stage = await createStage({ flags: ['--simulated'] })
  const other = await secondCloud(stage)
  const entry = (data: string) => parse(readFileSync(join(data, 'clouds.yaml'), 'utf8')).clouds['nephos-admin']
  const clouds = join(stage.dir, 'both.yaml')
  writeFileSync(clouds, stringify({ clouds: { east: entry(stage.data), west: entry(other) } }))
  const replicate = (from: string, to: string) =>
    stage.run(launcher, ['image', 'replicate', from, to, '--clouds', clouds])
  const env = { OS_CLIENT_CONFIG_FILE: clouds }
  const on = (as: string, args: string[]) => stage.json<Record<string, unknown>>(args, { as, env })

  const file = join(stage.dir, 'disk.raw')
  const bytes = Buffer.alloc(3_000_000, 'a disk')
  writeFileSync(file, bytes)
  const create = ['image', 'create', '--file', file, '--property', 'os_distro=debian', '--tag', 'blue', 'ours']
  const made = await on('east', create)

  await t.test('what one has the other gets, with its id, properties and bytes', async () => {
    const ran = await replicate('east', 'west')
    assert.equal(ran.code, 0, ran.err + ran.out)
    assert.match(ran.out, new RegExp(`copied ${made.id} "ours", 3000000 bytes`))
    const copy = await on('west', ['image', 'show', String(made.id)])
    for (const name of ['id', 'name', 'checksum', 'size', 'disk_format', 'visibility', 'tags', 'status'])
      assert.deepEqual(
        copy[name],
        name === 'tags' ? ['blue'] : (await on('east', ['image', 'show', String(made.id)]))[name],
      )
    assert.equal((copy.properties as Record<string, unknown>).os_distro, 'debian')
    const saved = join(stage.dir, 'saved')
    await stage.os(['image', 'save', '--file', saved, String(made.id)], { as: 'west', env })
    const hash = (data: Buffer) => createHash('sha256').update(data).digest('hex')
    assert.equal(hash(readFileSync(saved)), hash(bytes))
  })

  await t.test('a second run copies none', async () => {
    const ran = await replicate('east', 'west')
    assert.equal(ran.code, 0, ran.err)
    assert.match(ran.out, /^0 copied, \d+ there already, 0 left, 0 failed$/m)
  })

  await t.test('a cloud that is not in the file is named', async () => {
    const ran = await replicate('east', 'north')
    assert.equal(ran.code, 1)
    assert.match(ran.err, /has no cloud north/)
  })
})
