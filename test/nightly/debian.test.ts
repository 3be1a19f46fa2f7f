/** A cloud image that is not ours boots too: its disk, its network and its console, set up by the real cloud-init. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftovers } from '../journeys/leftovers.ts'
import { ssh } from '../journeys/ssh.ts'
import { createStage, missingForReal, type Stage } from '../journeys/stage.ts'
import { debianImage } from './debian-image.ts'

const minutes = 60_000

async function boots(stage: Stage, key: string, name: string, extra: string[]): Promise<string> {
  const placed = ['--image', 'debian', '--flavor', 'debian', '--network', 'private', '--key-name', 'k']
  await stage.os(['server', 'create', ...placed, ...extra, '--wait', name])
  await stage.until(
    'login: on the console',
    async () => /login: $/m.test(await stage.os(['console', 'log', 'show', name])),
    { timeout: 8 * minutes, every: 5000 },
  )
  const { floating_ip_address: address } = await stage.json<{ floating_ip_address: string }>([
    'floating',
    'ip',
    'create',
    'public',
  ])
  await stage.os(['server', 'add', 'floating', 'ip', name, address])
  const to = `debian@${address}`
  await stage.until('ssh', async () => (await ssh(stage, key, to, 'true')).code === 0, {
    timeout: 4 * minutes,
    every: 2000,
  })
  return to
}

test('a Debian cloud image: disk, network, console, by metadata service and by config drive', {
  skip: missingForReal(),
  timeout: 40 * minutes,
}, async t => {
  const image = await debianImage()
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  const key = join(stage.dir, 'key')
  const userData = join(stage.dir, 'user-data')
  writeFileSync(userData, '#cloud-config\nwrite_files:\n- {path: /etc/greeting, content: hello from user data}\n')
  writeFileSync(key, await stage.os(['keypair', 'create', 'k']), { mode: 0o600 })
  await stage.os(['security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '22', 'default'])
  await stage.os(['flavor', 'create', '--ram', '512', '--disk', '3', 'debian'], { as: 'nephos-admin' })
  await stage.os(['image', 'create', '--disk-format', 'qcow2', '--file', image, 'debian'])

  for (const [name, source, extra] of [
    ['by-service', /"DataSourceOpenStack/, []],
    ['by-drive', /"DataSourceConfigDrive/, ['--config-drive', 'true']],
  ] as const) {
    await t.test(name, async () => {
      const to = await boots(stage, key, name, [...extra, '--user-data', userData])
      const says = async (command: string) => {
        const ran = await ssh(stage, key, to, command)
        assert.equal(ran.code, 0, ran.err)
        return ran.out.trim()
      }
      assert.equal(await says('hostname'), name)
      assert.equal(await says('cat /etc/greeting'), 'hello from user data')
      await says('cloud-init status --wait')
      assert.match(await says('cat /run/cloud-init/result.json'), source)
      const bytes = Number(await says('df --output=size -B1 / | tail -1'))
      assert.ok(bytes > 2.5e9, `the root file system has grown to the flavor's disk: ${bytes}`)
      assert.match(await says('ip -br -4 address show scope global'), /UP\s+\S+\/\d+/)
      await stage.os(['server', 'reboot', '--wait', name])
      await stage.until('ssh after the reboot', async () => (await ssh(stage, key, to, 'true')).code === 0, {
        timeout: 8 * minutes,
        every: 5000,
      })
      await stage.os(['server', 'delete', '--wait', name])
    })
  }
  await stage
    .until('nothing left on the host', async () => (await leftovers(stage)).length === 0, { timeout: 20_000 })
    .catch(async () => assert.deepEqual(await leftovers(stage), []))
})
