/** What else may happen to a cloud at work: its disk fills up, its database cannot be written, what it needs goes away, guests die. */
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { prefixOf } from '../../src/cli/data-dir.ts'
import { carriedBy } from '../journeys/leftovers.ts'
import { isRunning, processesOf, type Stage } from '../journeys/stage.ts'
import type { Dice } from '../simulation/dice.ts'
import type { Problem } from '../simulation/invariants.ts'
import type { Clients } from './clients.ts'
import type { ChaosCloud } from './cloud.ts'
import type { StageServer } from './servers.ts'
import { witnessServer } from './witness.ts'

/** One thing that goes wrong while clients work, and is mended: then all must be well again. */
export interface Fault {
  name: string
  /** Returns what was not as it must be while it lasted. */
  strike(cloud: ChaosCloud, clients: Clients, dice: Dice): Promise<Problem[]>
}

const wrong = (invariant: string, about: string): Problem => ({ invariant, about, ids: [] })

/** A small disk for the data directory. */
export const onSmallDisk =
  (megabytes: number) =>
  async (stage: Stage): Promise<void> => {
    const { code, err } = await stage.run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'chaos', stage.data])
    if (code !== 0) throw new Error(`no small disk: ${err}`)
  }

function fill(cloud: ChaosCloud): void {
  const megabyte = Buffer.alloc(1024 * 1024)
  for (const size of [megabyte.length, 4096]) {
    try {
      for (;;) writeFileSync(cloud.file('filler'), megabyte.subarray(0, size), { flag: 'a' })
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error
    }
  }
}

const alive = ({ stage }: ChaosCloud) => isRunning(stage.pid() ?? 0)

/** While it lasts requests may fail, and soon after: those that wait are answered by then. */
async function lasting(
  cloud: ChaosCloud,
  clients: Clients,
  seconds: number,
  mend: () => Promise<void> | void,
): Promise<Problem[]> {
  clients.excused = true
  await clients.workUntil(sleep(seconds * 1000))
  const problems = alive(cloud) ? [] : [wrong('the cloud lives on', cloud.stage.output().slice(-2000))]
  await mend()
  await clients.workUntil(sleep(3000))
  clients.excused = false
  return problems
}

export const diskFull: Fault = {
  name: 'disk full',
  async strike(cloud, clients, dice) {
    fill(cloud)
    return lasting(cloud, clients, dice.between(1, 6), () => rmSync(cloud.file('filler')))
  },
}

/** Killed while it is full: the next start says why it cannot, or can. */
export const startOnFullDisk: Fault = {
  name: 'killed and started on a full disk',
  async strike(cloud, clients, dice) {
    clients.excused = true
    fill(cloud)
    await clients.workUntil(sleep(dice.between(100, 2000)).then(() => cloud.stage.kill()))
    const problems = await startsOrSaysWhy(cloud, /full|no space|ENOSPC/i)
    rmSync(cloud.file('filler'))
    if (!alive(cloud)) await cloud.start()
    await sleep(1000)
    clients.excused = false
    return problems
  },
}

/** A start that cannot be says why in a line, not with a stack. */
async function startsOrSaysWhy(cloud: ChaosCloud, why: RegExp): Promise<Problem[]> {
  try {
    await cloud.stage.up([...cloud.flags])
    return []
  } catch {
    const said = cloud.stage.output()
    return why.test(said) && !/^\s+at /m.test(said) ? [] : [wrong('a start that cannot be says why', said)]
  }
}

/** Nobody may write the files of the database, not even who has them open. */
export const databaseReadOnly: Fault = {
  name: 'database read-only',
  async strike(cloud, clients, dice) {
    const files = () => readdirSync(cloud.file()).filter(name => /^nephos\.db/.test(name))
    const mark = (sign: '+i' | '-i') =>
      void execFileSync('chattr', [sign, ...files().map(name => cloud.file(name))], {
        stdio: ['ignore', 'ignore', 'inherit'],
      })
    mark('+i')
    return lasting(cloud, clients, dice.between(1, 6), () => mark('-i'))
  },
}

export const startReadOnly: Fault = {
  name: 'started on a read-only disk',
  async strike(cloud, clients, dice) {
    clients.excused = true
    await clients.workUntil(sleep(dice.between(100, 2000)).then(() => cloud.stage.kill()))
    const remount = async (how: string) => {
      const { code, err } = await cloud.stage.run('mount', ['-o', `remount,${how}`, cloud.stage.data])
      if (code !== 0) throw new Error(`remount ${how}: ${err}`)
    }
    await remount('ro')
    const problems = await startsOrSaysWhy(cloud, /read-only|readonly|EROFS/i)
    if (alive(cloud)) await cloud.stage.kill()
    await remount('rw')
    await cloud.start()
    clients.excused = false
    return problems
  },
}

/** What the cloud needs is killed, or hangs, and comes back. */
export const goesAway = (server: StageServer): Fault => ({
  name: `${server.name} away`,
  async strike(cloud, clients, dice) {
    const hangs = dice.chance(0.3)
    cloud.timeline.note(`* ${server.name} ${hangs ? 'hangs' : 'is killed'}`)
    await server.signal(hangs ? 'SIGSTOP' : 'SIGKILL')
    return lasting(cloud, clients, dice.between(1, 12), () =>
      hangs ? server.signal('SIGCONT') : server.start(cloud.stage),
    )
  },
})

/** It is killed while what it needs is away: it says so, and starts when that is back. */
export const startWithout = (server: StageServer): Fault => ({
  name: `started without ${server.name}`,
  async strike(cloud, clients, dice) {
    clients.excused = true
    await server.signal('SIGKILL')
    await clients.workUntil(sleep(dice.between(100, 2000)).then(() => cloud.stage.kill()))
    const problems = await startsOrSaysWhy(cloud, /was not reached/)
    await server.start(cloud.stage)
    if (!alive(cloud)) await cloud.start()
    clients.excused = false
    return problems
  },
})

/** Somebody else kills a guest's process while clients work; the cloud may be down then. False when there is none. */
async function killGuest({ stage, timeline, start }: ChaosCloud, dice: Dice, mine: (server: string) => boolean) {
  const down = dice.chance(0.3)
  if (down) await stage.kill()
  const victim = dice.pick((await carriedBy(stage)).guests.filter(({ server }) => mine(server)))
  if (victim) {
    timeline.note(`* guest ${victim.server} is killed${down ? ', the cloud being down' : ''}`)
    process.kill(victim.pid, 'SIGKILL')
  }
  if (down) await start()
  return victim !== undefined
}

export const guestKilled: Fault = {
  name: 'guest killed',
  async strike(cloud, clients, dice) {
    const witness = await witnessServer(clients)
    for (let tries = 0; tries < 20; tries++) {
      await clients.workUntil(sleep(dice.between(1000, 6000)))
      if (await killGuest(cloud, dice, server => server !== witness.id)) return []
    }
    return [wrong('clients have guests', 'none ran in twenty looks')]
  },
}

/** Nobody works on this one: it is known what must become of it. */
export const witnessKilled: Fault = {
  name: 'guest of the witness killed',
  async strike(cloud, clients, dice) {
    const { id } = await witnessServer(clients)
    const is = (status: string) => async () => (await witnessServer(clients)).status === status
    if (!(await killGuest(cloud, dice, server => server === id)))
      return [wrong('the witness has its guest', 'no process of it runs')]
    await cloud.stage.until('the witness is off', is('SHUTOFF'))
    const path = `/compute/v2.1/servers/${id}/action`
    await clients.must(clients.witness, { method: 'POST', path, body: { 'os-start': null } })
    await cloud.stage.until('the witness runs again', is('ACTIVE'))
    return []
  },
}

/** A server of addresses is killed: the data plane starts another. */
export const dnsmasqKilled: Fault = {
  name: 'dnsmasq killed',
  async strike({ stage, timeline }, _clients, dice) {
    const daemons = () => processesOf(`/run/nephos-${prefixOf(stage.data)}-plane/dnsmasq`)
    const before = daemons().length
    const victim = dice.pick(daemons())
    if (!victim) return [wrong('there is a server of addresses', 'none runs')]
    timeline.note(`* dnsmasq ${victim.pid} is killed`)
    process.kill(victim.pid, 'SIGKILL')
    await stage.until('another serves addresses', async () => daemons().length >= before, { timeout: 90_000 })
    return []
  },
}
