/** A host for tests: the QEMU driver over a directory of its own, with a boot-sector guest, and nothing left when it is closed. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock.ts'
import { systemIds } from '#kernel/ids.ts'
import { silentLog } from '#kernel/log.ts'
import type { GuestSpec, VirtDriver } from '../driver.ts'
import type { QemuDriverOptions } from './prepare.ts'
import { findProcesses, killProcess } from './process.ts'
import { qemuDriver } from './qemu.ts'
import { bootSector, bootText, imageOf, memoryImages } from './test-guest.ts'

export const clock = systemClock()
const ids = systemIds()

function missingProgram(): string | undefined {
  for (const [program, args] of [
    ['qemu-system-x86_64', ['--version']],
    ['qemu-img', ['--version']],
    ['genisoimage', ['--version']],
  ] as const) {
    try {
      execFileSync(program, args, { stdio: 'ignore' })
    } catch {
      return `${program} is not installed: apt-get install qemu-system-x86 qemu-utils genisoimage`
    }
  }
  return undefined
}

/** Why tests with real guests cannot run here. */
export const skip = missingProgram()
if (skip) console.error(`SKIPPED: tests with real guests: ${skip}`)

export type Host = Awaited<ReturnType<typeof openHost>>

export async function openHost(overrides: Partial<QemuDriverOptions> = {}) {
  const dir = overrides.dir ?? mkdtempSync(join(tmpdir(), 'nephos-qemu-'))
  const disk = bootSector()
  const image = imageOf('boot-sector', disk)
  const images = memoryImages(new Map([['boot-sector', disk]]))
  const options = {
    hostname: 'h1',
    log: silentLog(),
    clock,
    accel: 'tcg',
    user: 'nobody',
    console_bytes: 65_536,
  } as const
  const open = () => qemuDriver({ ...options, images, ...overrides, dir })
  let driver = await open().catch(error => {
    rmSync(dir, { recursive: true })
    throw error
  })
  // The clock's timers do not keep a process alive; this does.
  const alive = createServer().listen(join(dir, 'alive'))
  const instances = join(dir, 'instances')
  return {
    get driver() {
      return driver
    },
    dir,
    instances,
    images,
    bootText,
    spec: (overrides: Partial<GuestSpec> = {}): GuestSpec => ({
      id: ids.uuid(),
      name: 'a guest, with a comma',
      vcpus: 1,
      memory_mb: 32,
      disks: [{ id: 'root', source: { type: 'image', image }, size_gb: 1, boot_index: 0 }],
      nics: [{ port_id: ids.uuid(), mac: 'fa:16:3e:00:00:01', mtu: 1450 }],
      config_drive: { 'openstack/latest/meta_data.json': '{"uuid": "x"}' },
      extra_specs: {},
      ...overrides,
    }),
    async reopen() {
      await driver[Symbol.asyncDispose]()
      driver = await open()
      return driver
    },
    async crash(id: string) {
      const process = (await findProcesses(instances, systemClock())).get(id)
      if (process) await killProcess(process, clock)
    },
    async powerOff(id: string) {
      const endpoint = await driver.console(id, 'serial')
      if (endpoint.type !== 'unix') throw new Error('a unix socket was expected')
      await say(endpoint.path, '!')
    },
    async remains(id: string) {
      const processes = await findProcesses(instances, systemClock())
      return [...readdirSync(instances), ...processes.keys()].filter(each => each === id)
    },
    async close() {
      alive.close()
      for (const process of (await findProcesses(instances, systemClock())).values()) await killProcess(process, clock)
      await driver[Symbol.asyncDispose]()
      if (!overrides.dir) rmSync(dir, { recursive: true, force: true })
    },
  }
}

export async function say(path: string, text: string) {
  const socket = createConnection(path)
  await once(socket, 'connect')
  socket.end(text)
  socket.resume()
  await once(socket, 'close')
}

export async function until(what: string, check: () => boolean | Promise<boolean>) {
  for (const start = clock.monotonic(); !(await check()); await clock.sleep(20)) {
    assert.ok(clock.monotonic() - start < 60_000, `${what} did not happen in 60 s`)
  }
}

export const boots = async (driver: VirtDriver, id: string) => (await driver.consoleLog(id)).split(bootText).length - 1

export async function booted(host: Host, overrides: Partial<GuestSpec> = {}): Promise<GuestSpec> {
  const spec = host.spec(overrides)
  await host.driver.spawn(spec, { power_on: true })
  await until('the boot', async () => (await boots(host.driver, spec.id)) === 1)
  return spec
}
