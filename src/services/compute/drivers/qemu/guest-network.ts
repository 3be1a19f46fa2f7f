/** Gives the NICs of a running guest what they are to have, by its agent: whatever was made of them inside. What it answers is hostile. */
import { isIPv6 } from 'node:net'
import type { Clock } from '#kernel/clock.ts'
import { GuestError, type NicSettings } from '../driver.ts'
import { askBooted, type Booted, plain } from './guest-agent.ts'
import { type NetworkForm, type SeenNic, unixNetwork, windowsNetwork } from './guest-network-forms.ts'
import { runProgram } from './guest-programs.ts'
import { imageProperty } from './record.ts'

const commandMs = 10_000
const mostAddresses = 64

/** Throws when the guest has no agent, none that may run programs, or no such NIC. */
export async function resetNetwork(clock: Clock, booted: Booted, nics: readonly NicSettings[]): Promise<void> {
  const form = imageProperty(booted.machine.spec, 'os_type') === 'windows' ? windowsNetwork : unixNetwork
  const seen = seenByMac(form, await askBooted(clock, booted, 'guest-network-get-interfaces', {}))
  for (const nic of nics) {
    const there = seen.get(nic.mac.toLowerCase())
    if (!there) throw new GuestError(`The guest sees no NIC with the address ${nic.mac}.`)
    for (const { args, mayFail } of form.commands(there, nic)) {
      const { code, output, errors } = await runProgram(clock, booted, { path: form.program, args, wait_ms: commandMs })
      if (code === 0 || (mayFail && code !== null)) continue
      const why = plain((errors || output).trim().split('\n').at(-1)!)
      throw new GuestError(`In the guest, ${form.program} ${args.join(' ')} failed${why && `: ${why}`}`)
    }
  }
}

/** Interfaces that others are made of (bridges, bonds) have the same address as their first member: that which is no bridge comes first in the list. */
function seenByMac(form: NetworkForm, told: unknown): Map<string, SeenNic> {
  const found: Record<string, unknown>[] = Array.isArray(told) ? told.slice(0, 256) : []
  const seen = new Map<string, SeenNic>()
  for (const each of found) {
    const { name, 'hardware-address': mac, 'ip-addresses': has } = each ?? {}
    if (typeof name !== 'string' || typeof mac !== 'string' || !form.names.test(name)) continue
    if (!seen.has(mac.toLowerCase())) seen.set(mac.toLowerCase(), { name, addresses6: addresses6(has) })
  }
  return seen
}

function addresses6(told: unknown): string[] {
  const list: { 'ip-address'?: unknown }[] = Array.isArray(told) ? told.slice(0, mostAddresses) : []
  return list.flatMap(each => {
    const address = each?.['ip-address']
    return typeof address === 'string' && isIPv6(address) && !/^fe80:|%/i.test(address) ? address : []
  })
}
