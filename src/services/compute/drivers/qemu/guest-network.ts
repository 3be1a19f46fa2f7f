/** Gives the NICs of a running Linux guest what they are to have, by its agent: whatever was made of them inside. What it answers is hostile. */
import type { Clock } from '#kernel/clock.ts'
import { GuestError, type NicSettings } from '../driver.ts'
import { askBooted, type Booted } from './guest-agent.ts'
import { runProgram } from './guest-programs.ts'

const commandMs = 10_000

/** Throws when the guest has no agent, none that may run programs, or no such NIC. */
export async function resetNetwork(clock: Clock, booted: Booted, nics: readonly NicSettings[]): Promise<void> {
  const names = namesByMac(await askBooted(clock, booted, 'guest-network-get-interfaces', {}))
  for (const nic of nics) {
    const name = names.get(nic.mac.toLowerCase())
    if (name === undefined) throw new GuestError(`The guest sees no NIC with the address ${nic.mac}.`)
    for (const command of commandsFor(name, nic)) await run(clock, booted, command)
  }
}

/** Interfaces that others are made of (bridges, bonds) have the same address as their first member: that which is no bridge comes first in the list. */
function namesByMac(told: unknown): Map<string, string> {
  const found: { name?: unknown; 'hardware-address'?: unknown }[] = Array.isArray(told) ? told.slice(0, 256) : []
  const names = new Map<string, string>()
  for (const each of found) {
    const { name, 'hardware-address': mac } = each ?? {}
    if (typeof name !== 'string' || typeof mac !== 'string' || !/^[a-z0-9][\w.-]{0,14}$/i.test(name)) continue
    if (!names.has(mac.toLowerCase())) names.set(mac.toLowerCase(), name)
  }
  return names
}

/** Arguments of `ip`, in turn. Routes go with the addresses that they need. */
export function commandsFor(name: string, { mtu, addresses, routes }: NicSettings): string[][] {
  const family = (address: string) => (address.includes(':') ? '-6' : '-4')
  return [
    ['link', 'set', 'dev', name, 'mtu', String(mtu), 'up'],
    ['addr', 'flush', 'dev', name, 'scope', 'global'],
    ...addresses.map(({ address, prefix }) => [family(address), 'addr', 'add', `${address}/${prefix}`, 'dev', name]),
    ...routes.map(({ to, via }) => [family(via), 'route', 'replace', to, 'via', via, 'dev', name]),
  ]
}

async function run(clock: Clock, booted: Booted, args: string[]): Promise<void> {
  const { code, errors } = await runProgram(clock, booted, { path: 'ip', args, wait_ms: commandMs })
  if (code === 0) return
  const why = code === null ? `: ${errors}` : '.'
  throw new GuestError(`In the guest, ip ${args.join(' ')} failed${why}`)
}
