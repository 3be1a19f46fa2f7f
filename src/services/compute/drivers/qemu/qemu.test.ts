/** The QEMU driver with real guests under TCG: the contract, and what only a real host can show. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock.ts'
import { systemIds } from '#kernel/ids.ts'
import { silentLog } from '#kernel/log.ts'
import { driverContract } from '../driver.contract.ts'
import type { GuestSpec } from '../driver.ts'
import { findProcesses, killProcess } from './process.ts'
import { qemuDriver } from './qemu.ts'
import { bootSector, bootText, imageOf, memoryImages } from './test-guest.ts'

const clock = systemClock()
const ids = systemIds()
// Timers of the clock do not keep a process alive; a test has to.
setInterval(() => {}, 1000).unref()

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

const skip = missingProgram()
if (skip) console.error(`SKIPPED: tests with real guests: ${skip}`)

async function openHost() {
  const dir = mkdtempSync(join(tmpdir(), 'nephos-qemu-'))
  const disk = bootSector()
  const image = imageOf('boot-sector', disk)
  const images = memoryImages(new Map([['boot-sector', disk]]))
  const open = () =>
    qemuDriver({
      dir,
      hostname: 'h1',
      log: silentLog(),
      clock,
      images,
      accel: 'tcg',
      user: 'nobody',
      console_bytes: 65_536,
    })
  let driver = await open()
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
      const process = (await findProcesses(instances)).get(id)
      if (process) await killProcess(process, clock)
    },
    async powerOff(id: string) {
      const endpoint = await driver.console(id, 'serial')
      if (endpoint.type !== 'unix') throw new Error('a unix socket was expected')
      await say(endpoint.path, '!')
    },
    async remains(id: string) {
      const processes = await findProcesses(instances)
      return [...readdirSync(instances), ...processes.keys()].filter(each => each === id)
    },
    async close() {
      for (const process of (await findProcesses(instances)).values()) await killProcess(process, clock)
      await driver[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function say(path: string, text: string) {
  const { createConnection } = await import('node:net')
  const { once } = await import('node:events')
  const socket = createConnection(path)
  await once(socket, 'connect')
  socket.end(text)
  socket.resume()
  await once(socket, 'close')
}

driverContract('qemu under TCG', openHost, skip ? { skip } : {})
