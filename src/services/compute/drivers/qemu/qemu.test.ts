/** The QEMU driver with real guests under TCG: the contract, and what only a real host can show. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { driverContract } from '../driver.contract.ts'
import { GuestError, type GuestSpec, type ImageSpec } from '../driver.ts'
import { findProcesses } from './process.ts'
import { bootSector, imageOf } from './test-guest.ts'
import { booted, boots, type Host, openHost, say, skip, until } from './test-host.ts'

driverContract('qemu under TCG', () => openHost(), skip ? { skip } : {})

describe('QEMU driver', { skip: skip ?? false }, () => {
  let host: Host
  before(async () => {
    host = await openHost()
  })
  after(() => host.close())

  it('keeps the console log small while the guest prints without end, and the console usable', async () => {
    const spec = await booted(host)
    const endpoint = await host.driver.console(spec.id, 'serial')
    assert.ok(endpoint.type === 'unix')
    const dir = join(host.instances, spec.id)
    const kept = () => ['console.log', 'console.old'].map(name => statSync(join(dir, name)).size)
    await say(endpoint.path, 'f')
    await until('the first trimming', () => existsSync(join(dir, 'console.old')))
    await say(endpoint.path, '.')
    await until('the last trimming', () => kept().every(size => size <= 65_536))
    assert.equal((await host.driver.consoleLog(spec.id)).length, 65_536)
    await say(endpoint.path, 'still here')
    await until('the echo', async () => (await host.driver.consoleLog(spec.id)).endsWith('x.still here'))
    await host.driver.destroy(spec.id)
  })

  it('runs QEMU without privileges, within limits, with nothing that listens but unix sockets', async () => {
    const spec = await booted(host)
    const { pid } = (await findProcesses(host.instances, systemClock())).get(spec.id)!
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    assert.match(status, /NoNewPrivs:\t1/)
    assert.match(status, /Seccomp:\t2/)
    if (process.getuid?.() === 0) {
      assert.match(status, /Uid:\t65534\t65534/)
      assert.match(status, /CapBnd:\t0000000000000000/)
    }
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8')
    assert.match(limits, /Max core file size +0 /)
    assert.doesNotMatch(limits, /Max file size +unlimited/)
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(), '500')
    const sockets = readdirSync(`/proc/${pid}/fd`).map(fd => readlinkSync(`/proc/${pid}/fd/${fd}`))
    const inodes = new Set(sockets.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
    const internet = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap(name =>
      readFileSync(`/proc/${pid}/net/${name}`, 'utf8').split('\n').slice(1),
    )
    assert.deepEqual(
      internet.filter(line => inodes.has(line.trim().split(/\s+/)[9] ?? '')),
      [],
    )
    await host.driver.destroy(spec.id)
  })

  it('downloads an image once, however many guests ask for it at once', async () => {
    await host.driver.purgeImageCache(0)
    host.images.opened.length = 0
    const specs = [host.spec(), host.spec(), host.spec()]
    await Promise.all(specs.map(spec => host.driver.spawn(spec, { power_on: false })))
    assert.deepEqual(host.images.opened, ['boot-sector'])
    for (const spec of specs) await host.driver.destroy(spec.id)
  })

  it('lets a delete win over whatever goes on with the guest', async () => {
    const copied = await booted(host)
    const spec = host.spec()
    const going = Promise.allSettled([
      host.driver.spawn(spec, { power_on: true }),
      host.driver.snapshot(copied.id, 'raw'),
      host.driver.stop(copied.id, 600),
    ])
    await Promise.all([host.driver.destroy(spec.id), host.driver.destroy(copied.id)])
    assert.deepEqual(
      (await going).map(each => each.status),
      ['rejected', 'rejected', 'rejected'],
    )
    assert.deepEqual([...(await host.remains(spec.id)), ...(await host.remains(copied.id))], [])
  })

  it('refuses what it cannot do with a message that names it, and leaves nothing', async () => {
    const image = imageOf('boot-sector', bootSector())
    const root = (more: Partial<ImageSpec>, size_gb = 1): Partial<GuestSpec> => ({
      disks: [{ id: 'root', source: { type: 'image', image: { ...image, ...more } }, size_gb, boot_index: 0 }],
    })
    const refused: [Partial<GuestSpec>, RegExp][] = [
      [root({ id: 'absent' }), /Image absent could not be downloaded: No image found/],
      [root({ hash_value: 'ab' }), /digest/],
      [root({ hash_value: 'cd', hash_algo: 'rot13' }), /unknown kind "rot13"/],
      [root({ hash_value: 'ef', size: 512 }), /size/],
      [root({ disk_format: 'qcow2' }), /not in the qcow2 format/],
      [root({ id: '../../escape' }), /image id/],
      [root({ properties: { hw_disk_bus: 'floppy' } }), /disk bus "floppy" is not supported/],
      [root({ properties: { hw_vif_model: 'ne2000' } }), /NIC model "ne2000" is not supported/],
      [{ id: '../escape' }, /guest id/],
      [{ config_drive: { '../escape': '' } }, /cannot hold a file named/],
      [{ nics: [{ port_id: 'p', mac: 'no', mtu: 1500 }] }, /port "p" is not usable/],
      [
        { nics: [{ port_id: 'p', mac: 'fa:16:3e:00:00:01', mtu: 1500, tap: { name: 'nqt-none' } }] },
        /QEMU did not start/,
      ],
    ]
    for (const [overrides, message] of refused) {
      const spec = host.spec(overrides)
      await assert.rejects(host.driver.spawn(spec, { power_on: true }), error => {
        assert.ok(error instanceof GuestError, String(error))
        assert.match(error.message, message)
        assert.ok(!error.message.includes(host.dir), 'no path of the host')
        return true
      })
      assert.deepEqual(readdirSync(host.instances), [])
    }
    assert.deepEqual(
      readdirSync(join(host.dir, 'images')).filter(name => name.endsWith('.part')),
      [],
    )
  })

  it('cuts off a NIC that the guest does not release, and still suspends, resumes and starts without it', async () => {
    const spec = await booted(host)
    const nic = { port_id: '6f70656e-0000-4000-8000-000000000001', mac: 'fa:16:3e:00:00:02', mtu: 1450 }
    const nics = async () => (await host.driver.diagnostics(spec.id)).num_nics
    await host.driver.attachNic(spec.id, nic)
    // A boot sector knows nothing of hot plug.
    await host.driver.detachNic(spec.id, nic.port_id)
    await host.driver.suspend(spec.id)
    await host.driver.resume(spec)
    assert.equal(await boots(host.driver, spec.id), 1)
    assert.equal(await nics(), 2, 'the dead device is still in the machine')
    await host.driver.reboot(spec, 'hard', 0)
    assert.equal(await nics(), 1)
    await host.driver.destroy(spec.id)
  })

  it('boots disks on the other buses, and NICs of other models', async () => {
    const image = imageOf('boot-sector', bootSector())
    for (const [hw_disk_bus, hw_vif_model] of [
      ['scsi', 'e1000e'],
      ['sata', 'rtl8139'],
      ['usb', 'e1000'],
    ] as const) {
      const properties = { hw_disk_bus, hw_vif_model }
      const source = { type: 'image', image: { ...image, properties } } as const
      const spare = { id: 'spare', source: { type: 'blank' }, size_gb: 1, boot_index: -1, bus: hw_disk_bus } as const
      const spec = await booted(host, { disks: [{ id: 'root', source, size_gb: 0, boot_index: 0 }, spare] })
      await host.driver.destroy(spec.id)
    }
  })
})

describe('QEMU driver on a host that fails', { skip: skip ?? false }, () => {
  it('says which program is missing and which package has it', async () => {
    await assert.rejects(
      openHost({ qemu: '/nonexistent/qemu-system-x86_64' }),
      /^GuestError: The program qemu-system-x86_64 is missing on this host. Install the package qemu-system-x86.$/,
    )
  })

  it('says so when QEMU vanishes, and leaves nothing', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'nephos-bin-'))
    const qemu = join(bin, 'qemu-system-x86_64')
    symlinkSync('/usr/bin/qemu-system-x86_64', qemu)
    const host = await openHost({ qemu })
    rmSync(bin, { recursive: true })
    await assert.rejects(
      host.driver.spawn(host.spec(), { power_on: true }),
      /qemu-system-x86_64 is missing on this host/,
    )
    assert.deepEqual(readdirSync(host.instances), [])
    await host.close()
  })

  it('has no room: the spawn fails, may go elsewhere, and leaves nothing', {
    skip: process.getuid?.() === 0 ? false : 'mounting a small disk needs root',
  }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'nephos-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'nephos-test', dir])
    const host = await openHost({ dir })
    try {
      const spec = host.spec()
      await assert.rejects(host.driver.spawn(spec, { power_on: true }), error => {
        assert.ok(error instanceof GuestError && error.retryElsewhere)
        assert.match(error.message, /no room for image boot-sector/)
        return true
      })
      assert.deepEqual([...readdirSync(join(dir, 'instances')), ...readdirSync(join(dir, 'images'))], [])
    } finally {
      await host.close()
      execFileSync('umount', [dir])
      rmSync(dir, { recursive: true })
    }
  })
})
