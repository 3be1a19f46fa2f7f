/** Software in a guest that is not ours: a Debian cloud image, its own agent, cloud-init and apt, and a repository of its own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { softwareOf } from '../journeys/software.ts'
import { createStage, missingForReal } from '../journeys/stage.ts'
import { debianImage } from './debian-image.ts'

const minutes = 60_000

/** A package with one program that says its version. */
function packageFile(dir: string, name: string, version: string): string {
  const root = join(dir, `${name}-${version}`)
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  const facts = { Package: name, Version: version, Architecture: 'all', Maintainer: 'none <none@example.org>' }
  const lines = Object.entries({ ...facts, Description: 'for tests' }).map(([key, value]) => `${key}: ${value}`)
  writeFileSync(join(root, 'DEBIAN/control'), `${lines.join('\n')}\n`)
  writeFileSync(join(root, 'usr/bin', name), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 })
  const file = join(dir, `${name}_${version}_all.deb`)
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', root, file])
  return file
}

/** User data that puts a repository of these packages into the guest, and makes it the only one. */
function userData(files: string[]): string {
  const index = files.map(file => {
    const bytes = readFileSync(file)
    const name = file.slice(file.lastIndexOf('/') + 1)
    const control = execFileSync('dpkg-deb', ['-f', file]).toString()
    const sum = createHash('sha256').update(bytes).digest('hex')
    return `${control}Filename: ./${name}\nSize: ${bytes.length}\nSHA256: ${sum}\n`
  })
  const write = (path: string, content: Buffer) =>
    `- {path: ${path}, encoding: b64, content: ${content.toString('base64')}}\n`
  const written = [
    ...files.map(file => write(`/srv/packages${file.slice(file.lastIndexOf('/'))}`, readFileSync(file))),
    write('/srv/packages/Packages', Buffer.from(index.join('\n'))),
    write('/etc/apt/sources.list', Buffer.from('deb [trusted=yes] file:/srv/packages ./\n')),
  ]
  return `#cloud-config\napt: {preserve_sources_list: true}\nwrite_files:\n${written.join('')}`
}

test('a Debian guest installs and removes what its owner asks for, each an event of its actions', {
  skip: missingForReal(),
  timeout: 40 * minutes,
}, async () => {
  const image = await debianImage()
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  await stage.os(['flavor', 'create', '--ram', '512', '--disk', '3', 'debian'], { as: 'nephos-admin' })
  const agent = ['--property', 'hw_qemu_guest_agent=yes']
  await stage.os(['image', 'create', '--disk-format', 'qcow2', '--file', image, ...agent, 'debian'])
  const field = async (...args: string[]) => (await stage.os([...args, '-f', 'value', '-c', 'id'])).trim()
  const files = [
    packageFile(stage.dir, 'hello', '1.0'),
    packageFile(stage.dir, 'hello', '2.0'),
    packageFile(stage.dir, 'goodbye', '1.0'),
  ]
  const server = {
    name: 'debian',
    imageRef: await field('image', 'show', 'debian'),
    flavorRef: await field('flavor', 'show', 'debian'),
    networks: [{ uuid: await field('network', 'show', 'private') }],
    user_data: Buffer.from(userData(files)).toString('base64'),
    'os-software:request': {
      driver: 'packages',
      packages: [{ name: 'hello', version: '1.0' }, 'goodbye', 'nothing.here'],
    },
  }
  const software = await softwareOf(stage, server)
  const first = await software.ended(20 * minutes)
  assert.deepEqual(
    first.states,
    [
      ['goodbye', 'installed', '1.0'],
      ['hello', 'installed', '1.0'],
      ['nothing.here', 'failed', null],
    ],
    JSON.stringify(first),
  )
  assert.match(first.packages[2]!.message!, /Unable to locate package nothing\.here/)
  const log = await software.log()
  assert.match(log, /install hello/)
  assert.match(log, /Unable to locate package/)

  await software.put({ driver: 'packages', packages: [{ name: 'hello', version: '2.0' }] })
  const second = await software.ended(20 * minutes)
  assert.deepEqual(second.states, [
    ['goodbye', 'removed', null],
    ['hello', 'installed', '2.0'],
    ['nothing.here', 'absent', null],
  ])
  assert.equal((await stage.json<{ status: string }>(['server', 'show', software.id])).status, 'ACTIVE')
  await stage.os(['server', 'delete', '--wait', software.id])
})
