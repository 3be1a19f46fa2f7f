/** The QEMU driver with a Linux guest: boots from disk and from a kernel, config drive, power button, NICs on taps, suspend, snapshot. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { systemIds } from '#kernel/ids.ts'
import { silentLog } from '#kernel/log.ts'
import { keptTinyImage } from '../../../../cli/image-build.ts'
import { growRoot } from '../../servers/guest-works/grow-root.ts'
import type { Inside } from '../../servers/software/tools/tool.ts'
import { type GuestSpec, type ImageSpec, powerStates, type VirtDriver } from '../driver.ts'
import { agentSocket, askAgent } from './guest-agent.ts'
import { findProcesses, killProcess } from './process.ts'
import { qemuDriver } from './qemu.ts'
import { imageOf } from './test-guest.ts'

const clock = systemClock()
const ids = systemIds()

type Part = 'disk' | 'kernel' | 'ramdisk' | 'root'
const files = keptTinyImage()
const skip =
  process.getuid?.() !== 0
    ? 'taps and namespaces need root'
    : !files && 'the tiny Linux guest is not built: ./nephos image build'
if (skip) console.error(`SKIPPED: tests with a Linux guest: ${skip}`)

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()

describe('QEMU driver with a Linux guest', { skip }, () => {
  const netns = `nqt-${ids.hex().slice(0, 8)}`
  const dir = mkdtempSync(join(tmpdir(), 'nephos-linux-'))
  const image = (name: Part, more: Partial<ImageSpec>) => imageOf(name, readFileSync(files![name]), more)
  /** Backups, as the image service keeps them. */
  const kept = new Map<string, Buffer>()
  let driver: VirtDriver
  const open = () =>
    qemuDriver({
      dir,
      hostname: 'h1',
      log: silentLog(),
      clock,
      images: {
        open: async ({ id }) => (kept.has(id) ? Readable.from([kept.get(id)!]) : createReadStream(files![id as Part])),
      },
      accel: 'tcg',
      user: 'nobody',
    })

  function spec(root: ImageSpec, overrides: Partial<GuestSpec> = {}): GuestSpec {
    return {
      id: ids.uuid(),
      name: 'linux',
      vcpus: 1,
      memory_mb: 128,
      disks: [{ id: 'root', source: { type: 'image', image: root }, size_gb: 1, boot_index: 0 }],
      nics: [],
      extra_specs: {},
      ...overrides,
    }
  }

  async function until(what: string, check: () => boolean | Promise<boolean>, seconds = 600) {
    for (const start = clock.monotonic(); !(await check()); await clock.sleep(100)) {
      assert.ok(clock.monotonic() - start < seconds * 1000, `${what} did not happen in ${seconds} s`)
    }
  }

  const says = (id: string, text: RegExp) =>
    until(String(text), async () => text.test(await driver.consoleLog(id))).catch(async error => {
      throw new Error(`${error.message}; the console's end: ${await driver.consoleLog(id, 20)}`)
    })

  /** Runs a shell command in the guest over its serial console and waits for `expected` in the console's log. */
  async function inGuest(id: string, command: string, expected: RegExp) {
    const endpoint = await driver.console(id, 'serial')
    assert.ok(endpoint.type === 'unix')
    const socket = createConnection(endpoint.path)
    await once(socket, 'connect')
    socket.resume()
    socket.write(`${command}\n`)
    await says(id, expected)
    socket.destroy()
  }

  async function logIn(id: string) {
    await says(id, /login: $/)
    await inGuest(id, 'root', /Password: $/)
    await inGuest(id, 'tiny', /~ # \S*$/)
  }

  function tap(name: string, address: string) {
    ip('-n', netns, 'tuntap', 'add', 'dev', name, 'mode', 'tap')
    ip('-n', netns, 'addr', 'add', address, 'dev', name)
    ip('-n', netns, 'link', 'set', name, 'up')
    return { name, netns }
  }

  const ping = (address: string) => {
    try {
      return ip('netns', 'exec', netns, 'ping', '-c', '1', '-W', '2', address).includes(' 0% packet loss')
    } catch {
      return false
    }
  }

  before(async () => {
    ip('netns', 'add', netns)
    driver = await open()
  })
  after(async () => {
    for (const process of (await findProcesses(join(dir, 'instances'), systemClock())).values())
      await killProcess(process, clock)
    await driver[Symbol.asyncDispose]()
    ip('netns', 'del', netns)
    rmSync(dir, { recursive: true, force: true })
  })

  it('boots a disk, reads its config drive, reaches the network, takes another NIC and gives it back', async () => {
    const first = { port_id: ids.uuid(), mac: 'fa:16:3e:00:01:01', mtu: 1400, tap: tap('nqt0', '10.99.0.1/24') }
    const second = { port_id: ids.uuid(), mac: 'fa:16:3e:00:01:02', mtu: 1500, tap: tap('nqt1', '10.99.1.1/24') }
    const guest = spec(image('disk', { disk_format: 'qcow2' }), {
      nics: [first],
      config_drive: {
        'openstack/latest/meta_data.json': '{"hostname": "from-config-drive"}',
        'openstack/latest/user_data':
          '#!/bin/sh\nip addr add 10.99.0.2/24 dev eth0\necho user data $(cat /sys/class/net/eth0/mtu)\n',
      },
    })
    await driver.spawn(guest, { power_on: true })
    await says(guest.id, /user data 1400/)
    await says(guest.id, /root grown to 9\d\d/)
    assert.ok(ping('10.99.0.2'))
    await logIn(guest.id)
    await inGuest(guest.id, 'hostname', /\nfrom-config-drive/)
    await inGuest(guest.id, 'cat /sys/block/vda/serial; echo', /\nroot\r?\n/)
    await inGuest(guest.id, 'cat /sys/class/dmi/id/product_name', /\nOpenStack Nova/)

    await driver.attachNic(guest.id, second)
    // The guest asks for a lease first, and finds nobody.
    await says(guest.id, /tiny: eth1/)
    await inGuest(guest.id, 'ip addr add 10.99.1.2/24 dev eth1; echo plugged $?', /\nplugged 0/)
    await until('the answer', () => ping('10.99.1.2'))
    const { nic_details } = await driver.diagnostics(guest.id)
    assert.ok((nic_details as { tx_packets: number }[])[1]!.tx_packets > 0)

    await driver.suspend(guest.id)
    assert.deepEqual([...(await findProcesses(join(dir, 'instances'), systemClock())).keys()], [])
    await driver.resume({ ...guest, nics: [first, second] })
    await until('the answer', () => ping('10.99.1.2'))
    assert.ok(ping('10.99.0.2'))

    await driver.detachNic(guest.id, second.port_id)
    await inGuest(guest.id, 'ls /sys/class/net; echo listed', /\neth0\s+lo\s+listed/)
    assert.ok(!ping('10.99.1.2'))
    await driver.stop(guest.id, 180)
    assert.match(await driver.consoleLog(guest.id), /power down|Power down|poweroff|going down/i)
    await driver.destroy(guest.id)
    assert.deepEqual(readdirSync(join(dir, 'instances')), [])
  })

  it('has an agent, which gives it back the addresses that it has lost', async () => {
    const properties = { hw_qemu_guest_agent: 'yes' }
    const nic = { port_id: ids.uuid(), mac: 'fa:16:3e:00:01:03', mtu: 1400, tap: tap('nqt2', '10.99.2.1/24') }
    const guest = spec(image('disk', { disk_format: 'qcow2', properties }), {
      nics: [nic],
      config_drive: { 'openstack/latest/meta_data.json': '{"hostname": "lost"}' },
    })
    await driver.spawn(guest, { power_on: true })
    await says(guest.id, /login: $/)
    await logIn(guest.id)
    await inGuest(guest.id, 'ip addr add 10.1.1.1/8 dev eth0; ip link set eth0 down; echo broken $?', /\nbroken 0/)
    assert.ok(!ping('10.99.2.2'))
    const addresses = [{ address: '10.99.2.2', prefix: 24 }]
    const routes = [
      { to: '10.98.0.0/16', via: '10.99.2.9' },
      { to: 'default', via: '10.99.2.1' },
    ]
    await driver.resetNetwork(guest.id, [{ mac: nic.mac, mtu: 1400, addresses, routes }])
    await until('the answer', () => ping('10.99.2.2'))
    await inGuest(guest.id, 'ip addr show eth0; echo shown', /mtu 1400[\s\S]*inet 10\.99\.2\.2\/24[\s\S]*\nshown/)
    await inGuest(
      guest.id,
      'ip route; echo listed',
      /default via 10\.99\.2\.1[\s\S]*10\.98\.0\.0\/16 via 10\.99\.2\.9[\s\S]*\nlisted/,
    )
    const other = { mac: 'fa:16:3e:00:01:ff', mtu: 1400, addresses, routes }
    await assert.rejects(driver.resetNetwork(guest.id, [other]), /sees no NIC/)
    await driver.destroy(guest.id)
  })

  it('has an agent: sets a password, tells how full it is, is frozen for a snapshot, and thawed by the next life', async () => {
    const properties = { hw_qemu_guest_agent: 'yes', os_require_quiesce: 'yes' }
    const files = [{ path: '/etc/sent/motd', content_path: '/content/0000' }]
    const guest = spec(image('disk', { disk_format: 'qcow2', properties }), {
      config_drive: {
        'openstack/latest/meta_data.json': JSON.stringify({ uuid: 'x', hostname: 'sent', files }),
        'openstack/content/0000': 'a file of the owner\n',
      },
    })
    await driver.spawn(guest, { power_on: true })
    await says(guest.id, /login: $/)
    await driver.changePassword(guest.id, 'root', 'another: one')
    await inGuest(guest.id, 'root', /Password: $/)
    await inGuest(guest.id, 'another: one', /~ # \S*$/)

    await inGuest(guest.id, 'cat /etc/sent/motd', /\na file of the owner/)

    const used = async () => {
      const { filesystems } = await driver.diagnostics(guest.id, { filesystems: true })
      return (filesystems as { mountpoint: string; used_bytes: number }[]).find(each => each.mountpoint === '/')!
        .used_bytes
    }
    const before = await used()
    await inGuest(guest.id, 'dd if=/dev/zero of=/root/large bs=1M count=20; sync; echo written $?', /\nwritten 0/)
    assert.ok((await used()) >= before + 20 * 1024 ** 2)

    // Not written out by the guest itself: only the freeze does that.
    await inGuest(guest.id, 'echo frozen-in > /root/fresh; echo said', /\nsaid/)
    let text = ''
    let found = false
    for await (const part of await driver.snapshot(guest.id, 'raw')) {
      text = text.slice(-16) + part.toString('latin1')
      found ||= text.includes('frozen-in\n')
    }
    assert.ok(found, 'what was in memory is in the snapshot')
    await inGuest(guest.id, 'touch /root/thawed && sync && echo goes on', /\ngoes on/)

    // A process that ends between freezing and thawing.
    const folder = join(dir, 'instances', guest.id)
    const ask = (command: string) => askAgent(clock, join(folder, agentSocket), command, {})
    writeFileSync(join(folder, 'run/frozen'), '')
    await ask('guest-fsfreeze-freeze')
    assert.equal(await ask('guest-fsfreeze-status'), 'frozen')
    await driver[Symbol.asyncDispose]()
    driver = await open()
    await driver.recover()
    await until('the thaw', async () => (await ask('guest-fsfreeze-status')) === 'thawed')
    await driver.destroy(guest.id)
  })

  it('lets its agent grow its root, partition and all, and again after a resize', async () => {
    const properties = { hw_qemu_guest_agent: 'yes', os_command_line: `${files!.kernelArguments} nogrow` }
    const own = { kernel: image('kernel', {}), ramdisk: image('ramdisk', {}) }
    const guest = spec(image('disk', { disk_format: 'qcow2', properties, ...own }))
    const size = async () => {
      const { filesystems } = await driver.diagnostics(guest.id, { filesystems: true })
      const root = (filesystems as { mountpoint: string; total_bytes: number }[]).find(each => each.mountpoint === '/')
      return root!.total_bytes / 1024 ** 2
    }
    const inside: Inside = {
      system: 'nephos-tiny',
      run: (path, args, { env, minutes = 1 } = {}) =>
        driver.runInGuest(guest.id, { path, args: [...args], ...(env && { env }), wait_ms: minutes * 60_000 }),
      write: (path, text) => driver.writeInGuest(guest.id, path, text),
    }
    const grown = async () => {
      const told = await growRoot(inside)
      assert.ok('bytes' in told, JSON.stringify(told))
      assert.ok(Math.abs(told.bytes / 1024 ** 2 - (await size())) < 100, 'what df says, and what the agent says')
      return size()
    }
    await driver.spawn(guest, { power_on: true })
    await says(guest.id, /login: $/)
    assert.match(await driver.agentVersion(guest.id), /^\d+\.\d+/)
    await driver.writeInGuest(guest.id, '/run/a', 'first\nlast\n')
    await driver.writeInGuest(guest.id, '/run/a', { base64: btoa('second\n') }, 6)
    assert.equal((await inside.run('cat', ['/run/a'])).output, 'first\nsecond\n')
    assert.ok((await size()) < 60)
    const once = await grown()
    assert.ok(once > 800 && once < 1000, `${once} MiB`)
    assert.equal(await grown(), once, 'there is no more')
    const larger = { ...guest, disks: [{ ...guest.disks[0]!, size_gb: 2 }] }
    await driver.reshape(larger, { power_on: true, grace_seconds: 0 })
    await says(guest.id, /tiny: ready.*tiny: ready.*login: $/s)
    const again = await grown()
    assert.ok(again > 1700 && again < 2000, `${again} MiB`)
    await driver.destroy(guest.id)
  })

  it('is rescued with what its own disk was made of: it runs from the rescue disk, wherever that stands, its own beside', async () => {
    const guest = spec(image('disk', { disk_format: 'qcow2' }))
    const [own] = guest.disks
    const boots = async (disks: GuestSpec['disks'], times: number) => {
      await driver.reshape({ ...guest, disks }, { power_on: true, grace_seconds: 180 })
      const { length } = await driver.consoleLog(guest.id)
      await until('the boot', async () => (await driver.consoleLog(guest.id)).split('tiny: ready').length > times)
      await until('the login', async () => /login: $/.test((await driver.consoleLog(guest.id)).slice(length)))
      await logIn(guest.id)
    }
    await driver.spawn(guest, { power_on: true })
    await logIn(guest.id)
    await inGuest(guest.id, 'echo of the owner > /root/own; sync; echo wrote $?', /\nwrote 0/)
    const others = { ...own!, boot_index: -1 }
    const rescue = { ...own!, id: 'rescue' }
    await boots([rescue, others], 2)
    await inGuest(
      guest.id,
      'mount /dev/vdb2 /mnt; cat /mnt/root/own /root/own; echo first',
      /\nof the owner\r?\ncat: .*\r?\nfirst/,
    )
    await boots([others, rescue], 3)
    await inGuest(
      guest.id,
      'mount /dev/vda2 /mnt; cat /mnt/root/own /root/own; echo last',
      /\nof the owner\r?\ncat: .*\r?\nlast/,
    )
    await driver.destroy(guest.id)
  })

  it('sees the NUMA cells, sockets and cores that its flavor gives it', async () => {
    const root = image('root', {
      disk_format: 'qcow2',
      properties: { os_command_line: files!.kernelArguments },
      kernel: image('kernel', {}),
      ramdisk: image('ramdisk', {}),
    })
    const cell = (id: number) => ({ id, vcpus: [id], memory_mb: 96, host_cell: 0, pins: { [id]: 0 }, shared_cpus: [] })
    const cpu_topology = { sockets: 2, cores: 1, threads: 1 }
    const guest = spec(root, { vcpus: 2, memory_mb: 192, cells: [cell(0), cell(1)], cpu_topology })
    await driver.spawn(guest, { power_on: true })
    await logIn(guest.id)
    await inGuest(guest.id, 'cd /sys/devices/system; cat node/online node/node1/cpulist', /\n0-1\r?\n1\r?\n/)
    await inGuest(guest.id, 'cat cpu/cpu1/topology/physical_package_id; echo socket', /\n1\r?\nsocket/)
    await driver.destroy(guest.id)
  })

  it('boots a kernel and a ramdisk of its own, and reboots when the guest says so', async () => {
    const root = image('root', {
      disk_format: 'qcow2',
      properties: { os_command_line: files!.kernelArguments },
      kernel: image('kernel', {}),
      ramdisk: image('ramdisk', {}),
    })
    const guest = spec(root)
    const seen: number[] = []
    driver.onEvent(event => seen.push(event.power_state))
    await driver.spawn(guest, { power_on: true })
    await logIn(guest.id)
    const boots = async () => (await driver.consoleLog(guest.id)).split('tiny: ready').length - 1
    await inGuest(guest.id, 'echo kept > /root/kept; sync; reboot', /tiny: ready.*tiny: ready/s)
    assert.equal(await boots(), 2)
    await driver.reboot(guest, 'soft', 180)
    await until('the third boot', async () => (await boots()) === 3)
    await until('the login', async () => /login: $/.test(await driver.consoleLog(guest.id)))
    await logIn(guest.id)
    await inGuest(guest.id, 'cat /root/kept', /\nkept/)
    assert.deepEqual(seen, [])

    const copy = await driver.snapshot(guest.id, 'raw')
    let found = false
    let rest = ''
    for await (const part of copy) {
      const text = rest + part.toString('latin1')
      found ||= text.includes('kept\n')
      rest = text.slice(-8)
    }
    assert.ok(found, 'what the guest wrote is in the snapshot')
    await inGuest(guest.id, 'poweroff', /./)
    await until('the event', () => seen.length > 0)
    assert.deepEqual(seen, [powerStates.shutdown])
    await driver.destroy(guest.id)
  })

  it('is backed up by what it changes while it runs, and made again of that', async () => {
    const boot = { properties: { os_command_line: files!.kernelArguments } }
    const own = { ...boot, kernel: image('kernel', {}), ramdisk: image('ramdisk', {}), disk_format: 'qcow2' as const }
    const guest = spec(image('root', own))
    const backup = async (image_id: string, since?: string) => {
      const named = since && { since: { image_id: since, bytes: 1024 ** 3 } }
      const { bytes, base } = await driver.backup(guest.id, { image_id, ...(named || {}) })
      kept.set(image_id, await buffer(bytes))
      assert.equal(base, since)
      return kept.get(image_id)!.length
    }
    await driver.spawn(guest, { power_on: true })
    await logIn(guest.id)
    await inGuest(guest.id, 'echo early > /root/early; sync; echo wrote $?', /\nwrote 0/)
    await backup('first')
    await inGuest(guest.id, 'dd if=/dev/urandom of=/root/late bs=1M count=10; sync; echo filled $?', /\nfilled 0/)
    const bytes = await backup('second', 'first')
    assert.ok(bytes > 10 * 1024 ** 2 && bytes < 14 * 1024 ** 2, `${bytes} bytes`)
    const sum = 'cat /root/early /root/late | md5sum'
    await inGuest(guest.id, sum, /\n[0-9a-f]{32} /)
    const [, expected] = /\n([0-9a-f]{32}) /.exec(await driver.consoleLog(guest.id))!
    await driver.destroy(guest.id)

    const [first, second] = ['first', 'second'].map(id => imageOf(id, kept.get(id)!))
    const restored = spec({ ...second!, ...own, bases: [first!] })
    await driver.spawn(restored, { power_on: true })
    await logIn(restored.id)
    await inGuest(restored.id, sum, new RegExp(`\n${expected} `))
    await driver.destroy(restored.id)
  })
})
