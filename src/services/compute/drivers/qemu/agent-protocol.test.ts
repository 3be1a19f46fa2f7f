/** What the cloud does in guests by their agents, as one suite that guests of each system pass: here with agents of the test's own, which know their flavor's programs alone. */
import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { describe, it } from 'node:test'
import { systemClock } from '#kernel/clock.ts'
import { silentLog } from '#kernel/log.ts'
import { updateAgent } from '../../servers/guest-works/update-agent.ts'
import type { WholeInside } from '../../servers/software/tools/tool.ts'
import { asksForSysprep, sysprep } from '../../servers/sysprep.ts'
import { GuestError } from '../driver.ts'
import { type Booted, setPassword, versionOf } from './guest-agent.ts'
import { resetNetwork } from './guest-network.ts'
import { runProgram, systemOf, writeFile } from './guest-programs.ts'
import type { QemuHost } from './host.ts'
import { whileFrozen } from './quiesce.ts'
import { type Flavor, type FlavoredNic, type FlavoredState, flavoredAgent, installed } from './test-agent.ts'

const clock = systemClock()
const mac = 'fa:16:3e:00:00:01'

const nicOf = (guest: FlavoredState, name: string | undefined) => guest.nics.find(nic => nic.name === name)

/** As `ip` does it. */
function ip(args: string[], guest: FlavoredState): number {
  const [family, ...rest] = args[0]!.startsWith('-') ? args : ['', ...args]
  const nic = nicOf(guest, rest[rest.indexOf('dev') + 1])
  if (!nic) return 1
  const [object, verb, what = ''] = rest
  if (object === 'link') nic.mtu = Number(rest[rest.indexOf('mtu') + 1])
  else if (object === 'route') return routed(nic, what, rest[rest.indexOf('via') + 1]!)
  else if (verb === 'flush') nic.addresses = []
  else if ((family === '-6') !== isIPv6(what.split('/')[0]!) || nic.addresses.includes(what)) return 2
  else nic.addresses.push(what)
  return 0
}

function routed(nic: FlavoredNic, to: string, via: string): number {
  nic.routes = [...nic.routes.filter(route => !route.startsWith(`${to} via `)), `${to} via ${via}`]
  return 0
}

/** As `netsh` does it: what is there already is not added, what is not there is not deleted. */
function netsh([, family, verb, object, ...rest]: string[], guest: FlavoredState): number {
  const said = Object.fromEntries(rest.map(word => word.split(/=(.*)/s)))
  const nic = nicOf(guest, said.interface ?? said.name)
  if (!nic || said.store !== 'active') return 1
  const isOf = (address: string) => isIPv6(address.split('/')[0]!) === (family === 'ipv6')
  const change = (list: string[], what: string, isIt: (one: string) => boolean): string[] | undefined => {
    if (verb === 'delete') return list.some(isIt) ? list.filter(one => !isIt(one)) : undefined
    return list.some(isIt) ? undefined : [...list, what]
  }
  if (object === 'subinterface') nic.mtu = Number(said.mtu)
  else if (object === 'address') {
    if (!isOf(said.address!)) return 1
    if (verb === 'set') nic.addresses = nic.addresses.filter(address => !isOf(address))
    const list = change(nic.addresses, said.address!, one => one.split('/')[0] === said.address!.split('/')[0])
    if (!list) return 1
    nic.addresses = list
  } else {
    const to = said.prefix === (family === 'ipv6' ? '::/0' : '0.0.0.0/0') ? 'default' : said.prefix
    const route = `${to} via ${said.nexthop}`
    const list = change(nic.routes, route, one => one === route)
    if (!list) return 1
    nic.routes = list
  }
  return 0
}

function removed(path: string, guest: FlavoredState): number {
  for (const file of Object.keys(guest.files)) if (file.startsWith(path)) delete guest.files[file]
  return 0
}

const flavors: Flavor[] = [
  {
    name: 'Unix',
    properties: {},
    system: 'debian',
    users: ['root'],
    nics: [['ens3', mac]],
    programs: { ip, true: () => 0, mkdir: () => 0, chmod: () => 0, rm: ([, folder], guest) => removed(folder!, guest) },
    paths: /^\//,
  },
  {
    name: 'Windows',
    properties: { os_type: 'windows', os_require_sysprep: 'yes' },
    system: 'mswindows',
    users: ['Administrator'],
    nics: [['Ethernet Instance 0 (2)', mac]],
    programs: {
      netsh,
      'cmd.exe': (args, guest) => removed(args.at(-1)!, guest),
      'msiexec.exe': ([, file], guest) => installed(file!, guest),
      'C:\\Windows\\System32\\Sysprep\\sysprep.exe': (args, guest) => {
        guest.done.push(`sysprep ${args.join(' ')}`)
        return 0
      },
    },
    paths: /^[A-Z]:\\/,
  },
]

/** What differs between them for who asks. */
const own = {
  Unix: { user: 'root', program: 'true', file: '/run/a', other: 'netsh', done: [] },
  Windows: {
    ...{ user: 'Administrator', program: 'cmd.exe', file: 'C:\\Windows\\Temp\\a', other: 'ip' },
    done: ['sysprep /generalize /oobe /quit /quiet'],
  },
}

/** As the cloud has it. */
const insideOf = (booted: Booted): WholeInside => {
  const run: WholeInside['run'] = (path, args) => runProgram(clock, booted, { path, args: [...args], wait_ms: 10_000 })
  return {
    ...{ system: '', run, runOnce: run },
    write: (path, text) => writeFile(clock, booted, path, text),
    async put(path, bytes) {
      const half = Math.ceil(bytes.length / 2)
      for (const at of [0, half])
        await writeFile(clock, booted, path, { base64: bytes.subarray(at, at + half).toString('base64') }, at)
    },
    agentVersion: () => versionOf(clock, booted),
    sleep: ms => clock.sleep(ms),
  }
}

for (const flavor of flavors) {
  const { user, program, file, other, done } = own[flavor.name as keyof typeof own]

  describe(`the agent in a ${flavor.name} guest`, () => {
    it('sets the password of its administrator, and of nobody that it does not have', async () => {
      using s = await flavoredAgent(flavor)
      await setPassword(clock, s.booted, user, 'a: "secret"')
      assert.deepEqual(s.guest.passwords, { [user]: 'a: "secret"' })
      await assert.rejects(setPassword(clock, s.booted, 'nobody', 'x'), /refused: no user nobody/)
    })

    it('gives a NIC its addresses, routes and MTU, whatever was made of them, as often as it is asked', async () => {
      using s = await flavoredAgent(flavor)
      const nic = s.guest.nics[0]!
      nic.addresses = ['192.0.2.77/24', 'fd00::77/64', 'fd00::5/64']
      const addresses = [
        { address: '10.0.0.5', prefix: 24 },
        { address: '10.0.1.5', prefix: 24 },
        { address: 'fd00::5', prefix: 64 },
      ]
      const routes = [
        { to: '10.9.0.0/16', via: '10.0.0.2' },
        { to: 'default', via: '10.0.0.1' },
        { to: 'default', via: 'fd00::1' },
      ]
      for (let twice = 0; twice < 2; twice++)
        await resetNetwork(clock, s.booted, [{ mac, mtu: 1400, addresses, routes: routes.slice(0, 2) }])
      const { mtu, addresses: has, routes: ways } = nic
      assert.deepEqual([mtu, has], [1400, ['10.0.0.5/24', '10.0.1.5/24', 'fd00::5/64']])
      assert.deepEqual(ways, ['10.9.0.0/16 via 10.0.0.2', 'default via 10.0.0.1'])
      await resetNetwork(clock, s.booted, [{ mac, mtu: 9000, addresses: addresses.slice(2), routes: routes.slice(2) }])
      assert.equal(nic.mtu, 9000)
      assert.ok(nic.routes.includes('default via fd00::1'))
      const absent = { mac: 'fa:16:3e:00:00:02', mtu: 1400, addresses, routes: [] }
      await assert.rejects(resetNetwork(clock, s.booted, [absent]), /sees no NIC/)
    })

    it('says which system it is, runs its programs, and none of another', async () => {
      using s = await flavoredAgent(flavor)
      assert.equal(await systemOf(clock, s.booted), flavor.system)
      const run = (path: string) => runProgram(clock, s.booted, { path, args: [], wait_ms: 1000 })
      assert.equal((await run(program)).code, 0)
      const none = await run(other)
      assert.equal(none.code, null)
      assert.match(none.errors, /No such file/)
    })

    it('writes files where it has folders', async () => {
      using s = await flavoredAgent(flavor)
      await writeFile(clock, s.booted, file, 'ab\n'.repeat(20_000))
      assert.deepEqual(s.guest.files, { [file]: 'ab\n'.repeat(20_000) })
      await assert.rejects(writeFile(clock, s.booted, 'nowhere', ''), GuestError)
    })

    it('takes a build of the agent through its channel, and says the new version', async () => {
      using s = await flavoredAgent(flavor)
      const file = `${'x'.repeat(100_000)}\nversion 8.2.10\n`
      const build = { os: flavor.properties.os_type ?? 'linux', version: '8.2.10' }
      assert.equal(await versionOf(clock, s.booted), '1.0')
      const updated = await updateAgent(insideOf(s.booted), { ...build, bytes: Buffer.from(file) })
      assert.deepEqual(updated, { version: '8.2.10' })
      assert.equal(await versionOf(clock, s.booted), '8.2.10')
      assert.deepEqual(s.guest.files, {}, 'nothing stays in the guest')
    })

    it('is made ready for a snapshot as its image asks, and frozen while that begins', async () => {
      using s = await flavoredAgent(flavor)
      const properties = { hw_qemu_guest_agent: 'yes', ...flavor.properties }
      if (asksForSysprep({ properties })) assert.equal((await runProgram(clock, s.booted, sysprep)).code, 0)
      const host = { clock, log: silentLog() } as QemuHost
      const { machine, files } = s.booted
      await whileFrozen({ host, files, machine, running: true }, async () => void s.guest.done.push('copy'))
      assert.deepEqual(s.guest.done, [...done, 'freeze', 'copy', 'thaw'])
    })
  })
}
