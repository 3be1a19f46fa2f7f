/** What `npm run chaos` does, chapter by chapter. */
import { missingForClient, missingForReal, type Stage } from '../journeys/stage.ts'
import { type ChapterOptions, type Outcome, runChapter, strikeWith } from './chapter.ts'
import type { ChaosCloud } from './cloud.ts'
import {
  databaseReadOnly,
  diskFull,
  dnsmasqKilled,
  goesAway,
  guestKilled,
  onSmallDisk,
  startOnFullDisk,
  startReadOnly,
  startWithout,
  witnessKilled,
} from './faults.ts'
import { killWith } from './kills.ts'
import { missingForParts, natsInStage, postgresInStage } from './servers.ts'

export type Driver = 'fake' | 'qemu'

export interface Common {
  seed: number
  say: (line: string) => void
  failed: (cloud: ChaosCloud) => void
  /** True when it was asked to come to an end. */
  stopped: () => boolean
}

export interface PlannedChapter {
  name: string
  driver: Driver
  /** Kills, or rounds of faults. */
  count: number
  /** Whether its count is of kills. */
  kills: boolean
  /** What this machine lacks for it. */
  missing: () => string | false
  run(count: number, common: Common): Promise<Outcome>
}

const names = ['host-1', 'host-2', 'host-3']
const simulated = ['--simulated', '--hosts', String(names.length)]
const real = ['--virt', 'qemu', '--network', 'linux']

/** How clients work on simulated hosts, and on this one, where a guest is a process and starts on one of two CPUs. */
const onSimulated = {
  clients: { atOnce: 6, pauseMs: 0, instances: 8 },
  check: { hosts: names, limitMs: 200_000 },
}
const onReal = {
  clients: { atOnce: 2, pauseMs: 250, instances: 2, weights: { hosts: 0, act: 30, looks: 0.5, shown: 1, list: 0.5 } },
  check: { hosts: [], limitMs: 300_000 },
}

type Own = Pick<ChapterOptions, 'flags'> & Partial<ChapterOptions>

const chapter = (name: string, common: Common, own: Own): ChapterOptions => ({
  ...{ name, seed: common.seed, say: common.say, stopped: common.stopped, seconds: 3600 },
  ...onSimulated,
  ...own,
})

/** A cloud of API processes over NATS and PostgreSQL. */
async function inParts(
  name: string,
  common: Common,
  story: (parts: ReturnType<typeof natsInStage>[]) => Parameters<typeof runChapter>[1],
): Promise<Outcome> {
  using nats = natsInStage()
  using postgres = postgresInStage()
  const prepare = async (stage: Stage) => {
    await nats.start(stage)
    await postgres.start(stage)
  }
  const settings = `cloud:\n  ${nats.setting}\n  ${postgres.setting}\n`
  const own = { flags: [...simulated, '--workers', '2'], settings, prepare, rows: postgres.rows }
  return await runChapter(chapter(name, common, own), story([nats, postgres]), common.failed)
}

const killFake = { work: [30, 2000], starting: [1, 105] } as const satisfies Record<string, [number, number]>

export const plan: PlannedChapter[] = [
  {
    ...{ name: 'one process', driver: 'fake', count: 130, kills: true, missing: missingForClient },
    run: (kills, common) =>
      runChapter(chapter('one process', common, { flags: simulated }), killWith({ kills, ...killFake }), common.failed),
  },
  {
    ...{ name: 'API processes', driver: 'fake', count: 50, kills: true, missing: missingForClient },
    run: (kills, common) =>
      runChapter(
        chapter('API processes', common, { flags: [...simulated, '--workers', '2'] }),
        killWith({ kills, ...killFake }),
        common.failed,
      ),
  },
  {
    ...{ name: 'in parts', driver: 'fake', count: 20, kills: true },
    missing: () => missingForClient() || missingForParts(),
    run: (kills, common) => inParts('in parts', common, () => killWith({ kills, ...killFake })),
  },
  {
    ...{ name: 'NATS and PostgreSQL away', driver: 'fake', count: 4, kills: false },
    missing: () => missingForClient() || missingForParts(),
    run: (rounds, common) =>
      inParts('NATS and PostgreSQL away', common, parts =>
        strikeWith([...parts.map(goesAway), ...parts.map(startWithout)], rounds),
      ),
  },
  {
    ...{ name: 'disk full', driver: 'fake', count: 5, kills: false, missing: missingForClient },
    run: (rounds, common) =>
      runChapter(
        chapter('disk full', common, { flags: simulated, prepare: onSmallDisk(64) }),
        strikeWith([diskFull, startOnFullDisk, startReadOnly], rounds),
        common.failed,
      ),
  },
  {
    ...{ name: 'database read-only', driver: 'fake', count: 5, kills: false, missing: missingForClient },
    run: (rounds, common) =>
      runChapter(
        chapter('database read-only', common, { flags: simulated }),
        strikeWith([databaseReadOnly], rounds),
        common.failed,
      ),
  },
  {
    ...{ name: 'real guests', driver: 'qemu', count: 20, kills: true, missing: missingForReal },
    run: (kills, common) =>
      runChapter(
        chapter('real guests', common, { ...onReal, flags: real }),
        killWith({ kills, work: [200, 6000], starting: [1, 105] }),
        common.failed,
      ),
  },
  {
    ...{ name: 'guests killed', driver: 'qemu', count: 8, kills: false, missing: missingForReal },
    run: (rounds, common) =>
      runChapter(
        chapter('guests killed', common, { ...onReal, flags: real }),
        strikeWith([guestKilled, witnessKilled, dnsmasqKilled], rounds),
        common.failed,
      ),
  },
  {
    ...{ name: 'real guests on a full disk', driver: 'qemu', count: 5, kills: false, missing: missingForReal },
    run: (rounds, common) =>
      runChapter(
        chapter('real guests on a full disk', common, {
          ...{ ...onReal, flags: real, prepare: onSmallDisk(512) },
          // Disks of guests are far smaller than they say.
          settings: 'compute:\n  hosts:\n    disk_allocation_ratio: 100\n',
        }),
        strikeWith([diskFull], rounds),
        common.failed,
      ),
  },
]

/** The chapters that are asked for, each with its count: of one chapter that which is given; otherwise spread over those that kill, as the plan's own is. */
export function chosen(
  driver: Driver | undefined,
  kills: number | undefined,
  name?: string,
): [PlannedChapter, number][] {
  const wanted = plan.filter(one => (!driver || one.driver === driver) && (!name || one.name === name))
  if (kills === undefined) return wanted.map(one => [one, one.count])
  if (name) return wanted.map(one => [one, kills])
  const killing = wanted.filter(one => one.kills)
  const all = killing.reduce((sum, one) => sum + one.count, 0)
  return killing
    .map((one): [PlannedChapter, number] => [one, Math.round((one.count * kills) / all)])
    .filter(([, count]) => count > 0)
}
