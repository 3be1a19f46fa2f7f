/** How guests are set aside, brought back and copied. Between hosts they do not move yet. */
import { GuestError, type VirtDriver } from '../driver.ts'
import { asideFiles, copyAside, dropAside, putAside, takeBack } from './aside.ts'
import type { Guest, Guests } from './guests.ts'
import { exists, type QemuHost } from './host.ts'
import { readRecord } from './record.ts'

interface Options {
  host: QemuHost
  guests: Guests
  hostname: string
  turnOff(guest: Guest, graceSeconds: number, signal: AbortSignal): Promise<void>
}

type Moves = Pick<
  VirtDriver,
  | 'setAside'
  | 'bringBack'
  | 'dropAside'
  | 'prepareIncoming'
  | 'sendAside'
  | 'migrateLive'
  | 'migrationProgress'
  | 'forceMigration'
>

export function qemuMoves({ host, guests, hostname, turnOff }: Options): Moves {
  return {
    setAside: (id, graceSeconds) =>
      guests.locked(id, async (guest, gone) => {
        if (!(await readRecord(guest.files)) || (await exists(asideFiles(host, id).dir))) return
        await turnOff(guest, graceSeconds, gone)
        await putAside(host, id)
      }),
    bringBack: id =>
      guests.interrupt(id, async guest => {
        if (!(await exists(asideFiles(host, id).dir))) return
        await guests.clear(guest)
        await takeBack(host, id)
      }),
    dropAside: id => guests.locked(id, () => dropAside(host, id)),
    prepareIncoming: async () => ({ driver: 'qemu', host: hostname }),
    sendAside: (id, to, { signal }) =>
      guests.locked(id, async (guest, gone) => {
        if (to.driver !== 'qemu' || to.host !== hostname) throw staysHere()
        await guests.clear(guest)
        await copyAside(host, id, signal ? AbortSignal.any([signal, gone]) : gone)
      }),
    async migrateLive() {
      throw staysHere()
    },
    migrationProgress: async () => undefined,
    async forceMigration(id) {
      throw new GuestError(`Guest ${id} is not being migrated.`)
    },
  }
}

const staysHere = () => new GuestError('Guests of this host cannot be moved to another one.')
