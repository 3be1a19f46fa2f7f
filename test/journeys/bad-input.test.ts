/** Bad input through the real client: upstream's codes, and a message that names the field or the remedy. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { createStage, missingForClient, missingForReal } from './stage.ts'

const launcher = resolve(import.meta.dirname, '../../nephos')
const create = ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private']
const replaced = (flag: string, value: string) => create.map((word, i) => (create[i - 1] === flag ? value : word))

test('what a user gets wrong', { skip: missingForClient() }, async t => {
  await using stage = await createStage({ flags: ['--simulated'] })

  const cases: { what: string; args: string[]; says: RegExp }[] = [
    {
      what: 'an unknown image',
      args: [...replaced('--image', 'nothing'), 'x'],
      says: /No image found for nothing|No Image found for nothing|Could not find resource nothing/i,
    },
    {
      what: 'an unknown flavor',
      args: [...replaced('--flavor', 'nothing'), 'x'],
      says: /No flavor.*nothing|Could not find resource nothing/i,
    },
    { what: 'an unknown network', args: [...replaced('--network', 'nothing'), 'x'], says: /nothing/ },
    { what: 'a name that is too long', args: [...create, 'x'.repeat(256)], says: /too long.*HTTP 400/s },
    {
      what: 'a server that does not exist',
      args: ['server', 'show', 'nothing'],
      says: /No server.*nothing|No Server found for nothing/i,
    },
    {
      what: 'a network named in no form',
      args: ['subnet', 'create', '--network', 'private', '--subnet-range', '10.0.0.0/99', 's'],
      says: /10\.0\.0\.0\/99/,
    },
    {
      what: 'an address of another subnet',
      args: ['port', 'create', '--network', 'private', '--fixed-ip', 'ip-address=8.8.8.8', 'p'],
      says: /8\.8\.8\.8|not a valid/i,
    },
    { what: 'an admin command', args: ['hypervisor', 'list'], says: /HTTP 403/ },
    {
      what: 'an unknown protocol',
      args: ['security', 'group', 'rule', 'create', '--protocol', 'icmpp', 'default'],
      says: /protocol icmpp not supported/,
    },
  ]
  for (const { what, args, says } of cases) {
    await t.test(what, async () => {
      const { code, out, err } = await stage.run('openstack', args)
      assert.notEqual(code, 0)
      assert.match(err + out, says)
    })
  }

  await t.test(
    'a qcow2 with a backing file is refused and never active',
    { skip: !existsSync('/usr/bin/qemu-img') && 'needs qemu-utils' },
    async () => {
      const base = join(stage.dir, 'base.raw')
      const evil = join(stage.dir, 'evil.qcow2')
      writeFileSync(base, Buffer.alloc(1024 * 1024))
      execFileSync('qemu-img', ['create', '-f', 'qcow2', '-b', base, '-F', 'raw', evil], { stdio: 'ignore' })
      const { code, err, out } = await stage.run('openstack', [
        'image',
        'create',
        '--file',
        evil,
        '--disk-format',
        'qcow2',
        'evil',
      ])
      assert.notEqual(code, 0)
      assert.match(err + out, /backing file|415/i)
      const images = await stage.json<{ Name: string; Status: string }[]>(['image', 'list'])
      assert.ok(!images.some(i => i.Name === 'evil' && i.Status === 'active'))
    },
  )
})

test('a full disk: the upload is refused, the image waits, the cloud goes on', {
  skip: missingForClient(),
}, async () => {
  await using stage = await createStage({ cold: true })
  await stage.run('mkdir', ['-p', stage.data])
  await stage.run('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0700', 'small', stage.data])
  await stage.up(['--simulated'])
  const big = join(stage.dir, 'big.raw')
  writeFileSync(big, Buffer.alloc(64 * 1024 * 1024, 1))
  const create = ['image', 'create', '--file', big, '--disk-format', 'raw', 'big']
  const { code, err, out } = await stage.run('openstack', create)
  assert.notEqual(code, 0)
  assert.match(err + out, /413/)
  const images = await stage.json<{ Name: string; Status: string }[]>(['image', 'list'])
  assert.notEqual(images.find(i => i.Name === 'big')?.Status, 'active')
  rmSync(big)
  writeFileSync(big, Buffer.alloc(1024 * 1024, 1))
  await stage.os([...create.slice(0, -1), 'small'])
  assert.equal((await stage.json<{ status: string }>(['image', 'show', 'small'])).status, 'active')
})

test('a machine without QEMU: the start says what to install; a guest that cannot start says why', {
  skip: missingForReal(),
}, async () => {
  await using stage = await createStage({ cold: true })
  const nothing = join(stage.dir, 'nothing')
  writeFileSync(nothing, '', { mode: 0o644 })
  const hidden = ['--bind', nothing, '/usr/bin/qemu-system-x86_64']
  await stage.run('mount', hidden)
  const refused = await stage.run(launcher, ['up', '--data', stage.data, '--no-install'])
  assert.equal(refused.code, 1)
  assert.match(refused.err, /qemu-system-x86_64.*\n?.*apt-get install .*qemu-system-x86/)

  await stage.run('umount', ['/usr/bin/qemu-system-x86_64'])
  await stage.up([])
  await stage.run('mount', hidden)
  await stage.os([...create, 'lame'])
  const server = await stage.until('an end', async () => {
    const seen = await stage.json<{ status: string; fault?: { message: string } }>(['server', 'show', 'lame'])
    return seen.status === 'BUILD' ? undefined : seen
  })
  assert.equal(server.status, 'ERROR')
  assert.match(server.fault!.message, /qemu/)
  await stage.os(['server', 'delete', '--wait', 'lame'])
  await stage.run('umount', ['/usr/bin/qemu-system-x86_64'])
  await stage.os([...create, '--wait', 'sound'])
})
