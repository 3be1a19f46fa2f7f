/** The first server: a real guest, made, used and removed with the real client. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { leftovers } from './leftovers.ts'
import { ssh } from './ssh.ts'
import { createStage, missingForReal, type Stage } from './stage.ts'

interface Clouds {
  clouds: { nephos: { auth: { project_name: string } } }
}

interface Shown {
  id: string
  status: string
  addresses: Record<string, string[]>
  fault?: { message: string }
}

async function createServer(stage: Stage, name: string, extra: string[] = [], as = 'nephos'): Promise<Shown> {
  return stage.json<Shown>(
    ['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait', ...extra, name],
    { as },
  )
}

const ipv4 = (server: Shown, network = 'private') =>
  server.addresses[network]!.find(a => /^\d+\.\d+\.\d+\.\d+$/.test(a))!

async function consoleHas(stage: Stage, server: string, text: RegExp, as = 'nephos'): Promise<string> {
  return stage.until(
    `${text} on the console of ${server}`,
    async () => {
      const log = await stage.os(['console', 'log', 'show', server], { as })
      return text.test(log) ? log : undefined
    },
    { timeout: 120_000, every: 1000 },
  )
}

/** The demo user in another project: what clouds.yaml says wins over the client's flags, so it is another file. */
function anotherProject(stage: Stage, project: string) {
  const { clouds } = parse(readFileSync(join(stage.data, 'clouds.yaml'), 'utf8')) as Clouds
  clouds.nephos.auth.project_name = project
  const file = join(stage.dir, `${project}.yaml`)
  writeFileSync(file, stringify({ clouds }))
  return { env: { OS_CLIENT_CONFIG_FILE: file } }
}

test('from a fresh data directory to a real server, and back to nothing', {
  skip: missingForReal(),
  timeout: 1_200_000,
}, async t => {
  await using stage = await createStage({ flags: ['--virt', 'qemu', '--network', 'linux'] })
  const key = join(stage.dir, 'key')
  const userData = join(stage.dir, 'user-data')
  writeFileSync(userData, '#!/bin/sh\necho "user data says hello from $(hostname)"\n')

  await t.test('a token, the catalog, the image', async () => {
    const token = await stage.json<{ id: string }>(['token', 'issue'])
    assert.ok(token.id.length < 255)
    const catalog = await stage.json<{ Type: string }[]>(['catalog', 'list'])
    for (const type of ['identity', 'compute', 'image', 'network', 'placement'])
      assert.ok(
        catalog.some(e => e.Type === type),
        type,
      )
    const images = await stage.json<{ Name: string; Status: string }[]>(['image', 'list'])
    assert.deepEqual(
      images.map(i => [i.Name, i.Status]),
      [['tiny', 'active']],
    )
  })

  await t.test('a key pair and security group rules', async () => {
    writeFileSync(key, await stage.os(['keypair', 'create', 'k']), { mode: 0o600 })
    await stage.os(['security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '22', 'default'])
    await stage.os(['security', 'group', 'rule', 'create', '--protocol', 'icmp', 'default'])
  })

  let one!: Shown
  await t.test('server create boots a guest that prints what its user data says', async () => {
    one = await createServer(stage, 'one', ['--key-name', 'k', '--user-data', userData])
    assert.equal(one.status, 'ACTIVE')
    const log = await consoleHas(stage, 'one', /login:/)
    assert.match(log, /user data says hello from one/)
  })

  let floating = ''
  await t.test('ssh over a floating IP shows the name from the metadata', async () => {
    floating = (await stage.json<{ floating_ip_address: string }>(['floating', 'ip', 'create', 'public']))
      .floating_ip_address
    await stage.os(['server', 'add', 'floating', 'ip', 'one', floating])
    const ran = await stage.until('ssh', async () => {
      const tried = await ssh(stage, key, `root@${floating}`, 'hostname')
      return tried.code === 0 ? tried : undefined
    })
    assert.equal(ran.out.trim(), 'one')
  })

  await t.test('two servers ping each other by address and by name', async () => {
    const two = await createServer(stage, 'two', ['--key-name', 'k'])
    await consoleHas(stage, 'two', /login:/)
    const byAddress = await ssh(stage, key, `root@${floating}`, `ping -c 3 -W 2 ${ipv4(two)}`)
    assert.equal(byAddress.code, 0, byAddress.out + byAddress.err)
    const byName = await ssh(stage, key, `root@${floating}`, 'ping -c 3 -W 2 two')
    assert.equal(byName.code, 0, byName.out + byName.err)
  })

  await t.test('a running ping stops when its rule is deleted', async () => {
    const rules = await stage.json<{ ID: string; 'IP Protocol': string | null; Direction?: string }[]>([
      'security',
      'group',
      'rule',
      'list',
      'default',
      '--long',
    ])
    const icmp = rules.find(r => r['IP Protocol'] === 'icmp')!
    const ping = stage.run('ping', ['-c', '40', '-i', '0.5', '-W', '1', floating])
    await stage.os(['security', 'group', 'rule', 'delete', icmp.ID])
    const { out } = await ping
    const received = Number(/(\d+) received/.exec(out)?.[1])
    assert.ok(received > 0, `it ran at first: ${out}`)
    assert.ok(received < 40, `it stopped: ${out}`)
    assert.notEqual((await stage.run('ping', ['-c', '2', '-W', '1', floating])).code, 0)
  })

  await t.test('a second project with the same addresses does not see them', async () => {
    const admin = 'nephos-admin'
    await stage.os(['project', 'create', 'other'], { as: admin })
    await stage.os(['role', 'add', '--project', 'other', '--user', 'demo', 'member'], { as: admin })
    const other = anotherProject(stage, 'other')
    const subnets = ['subnet', 'list', '--network', 'private', '--ip-version', '4']
    const [same] = await stage.json<{ Subnet: string }[]>(subnets)
    await stage.os(['network', 'create', 'private-other'], other)
    await stage.os(['subnet', 'create', '--network', 'private-other', '--subnet-range', same!.Subnet, 'same'], other)
    assert.deepEqual(await stage.json(['server', 'list'], other), [])
    const create = [
      'server',
      'create',
      '--image',
      'tiny',
      '--flavor',
      'm1.nano',
      '--network',
      'private-other',
      '--wait',
    ]
    const server = await stage.json<Shown>([...create, 'stranger'], other)
    assert.equal(server.status, 'ACTIVE')
    const seen = await ssh(stage, key, `root@${floating}`, `ping -c 2 -W 1 ${ipv4(server, 'private-other')}`)
    assert.notEqual(seen.code, 0, 'no packet gets across')
    await stage.os(['server', 'delete', '--wait', 'stranger'], other)
  })

  await t.test('on a network without DHCP a guest has its address from its config drive (S-183, S-185)', async () => {
    await stage.os(['network', 'create', 'quiet'])
    await stage.os(['subnet', 'create', '--network', 'quiet', '--subnet-range', '10.77.0.0/24', '--no-dhcp', 'quiet'])
    const what = ['--image', 'tiny', '--flavor', 'm1.nano', '--network', 'quiet', '--config-drive', 'True']
    const server = await stage.json<Shown>(['server', 'create', ...what, '--wait', 'quiet'])
    const log = await consoleHas(stage, 'quiet', /login:/)
    assert.match(log, /metadata from the config drive/)
    assert.ok(log.includes(`eth0 ${ipv4(server, 'quiet')}/24`), log)
    await stage.os(['server', 'delete', '--wait', 'quiet'])
    await stage.os(['network', 'delete', 'quiet'])
  })

  await t.test('stop, start, reboot, pause, suspend, resume', async () => {
    const status = async () => (await stage.json<Shown>(['server', 'show', 'one'])).status
    const reaches = (wanted: string) =>
      stage.until(wanted, async () => (await status()) === wanted, { timeout: 120_000 })
    for (const [action, wanted] of [
      ['stop', 'SHUTOFF'],
      ['start', 'ACTIVE'],
      ['pause', 'PAUSED'],
      ['unpause', 'ACTIVE'],
      ['suspend', 'SUSPENDED'],
      ['resume', 'ACTIVE'],
    ] as const) {
      await stage.os(['server', action, 'one'])
      await reaches(wanted)
    }
    await stage.os(['server', 'reboot', '--hard', '--wait', 'one'])
    await stage.until(
      'ssh after all that',
      async () => (await ssh(stage, key, `root@${floating}`, 'true')).code === 0,
      {
        timeout: 120_000,
      },
    )
  })

  await t.test('the cloud is stopped and started while the guest runs on', async () => {
    const before = stage.guests()
    assert.equal(before.length, 2)
    assert.equal(await stage.stop(), 0)
    assert.deepEqual(stage.guests(), before, 'guests run on')
    await stage.up(['--virt', 'qemu', '--network', 'linux'])
    assert.equal((await stage.json<Shown>(['server', 'show', 'one'])).status, 'ACTIVE')
    assert.equal((await ssh(stage, key, `root@${floating}`, 'hostname')).out.trim(), 'one')
  })

  await t.test('after the deletes nothing is left', async () => {
    await stage.os(['server', 'delete', '--wait', 'one', 'two'])
    assert.deepEqual(await stage.json(['server', 'list', '--all-projects'], { as: 'nephos-admin' }), [])
    await stage
      .until('nothing left on the host', async () => (await leftovers(stage)).length === 0, { timeout: 20_000 })
      .catch(async () => assert.deepEqual(await leftovers(stage), []))
    const ports = await stage.json<{ ID: string }[]>(['port', 'list', '--device-owner', 'compute:nova'], {
      as: 'nephos-admin',
    })
    assert.deepEqual(ports, [])
    const limits = await stage.json<{ Name: string; Value: number }[]>(['limits', 'show', '--absolute'])
    assert.equal(limits.find(l => l.Name === 'totalInstancesUsed')?.Value, 0)
  })
})
