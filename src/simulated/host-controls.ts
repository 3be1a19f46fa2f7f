/** The controls of hosts: they go away and come back. */
import { NotFound } from '#kernel/errors.ts'
import { didYouMean } from '#kernel/near-miss.ts'
import { isGuestKey } from '../services/compute/drivers/fake-moves.ts'
import type { Controls, Host } from './controls.ts'
import type { SimulatedHost } from './host.ts'
import type { Life } from './life.ts'

const view = ({ name, away, guests }: SimulatedHost): Host => ({
  ...{ name, away },
  guests: [...guests.keys()].filter(isGuestKey).length,
})

/** `inTurn`: after other changes of the whole cloud. */
export function hostControls(life: () => Life, inTurn: <T>(work: () => Promise<T>) => Promise<T>): Controls['hosts'] {
  function hostOf(name: string): SimulatedHost {
    const { hosts } = life()
    const found = hosts.find(host => host.name === name)
    if (found) return found
    const names = hosts.map(host => host.name)
    throw new NotFound(`There is no host ${name}.${didYouMean(name, names)}`)
  }
  return {
    list: async () => life().hosts.map(view),
    show: async name => view(hostOf(name)),
    leave: (name, { guests = 'live' } = {}) =>
      inTurn(async () => {
        hostOf(name).leave(guests)
        return view(hostOf(name))
      }),
    return: name =>
      inTurn(async () => {
        await life().bringBack(hostOf(name))
        return view(hostOf(name))
      }),
  }
}
