/** The port by which a network's DHCP, DNS and metadata are reached: there when a subnet has DHCP, with an address in each that has. */
import type { Ctx } from '#kernel/context.ts'
import { Fault } from '#kernel/errors.ts'
import type { NetworkRow } from '../networks/store.ts'
import { makePort, removePorts, setAddresses } from '../ports/steps.ts'
import { allocationRows, dhcpDevice, portRows } from '../ports/store.ts'
import { subnetsOf } from './store.ts'

/** Makes the port fit the network's subnets: makes it, changes its addresses, or removes it. A full subnet goes without. */
export async function keepDhcpPort(ctx: Ctx, network: NetworkRow): Promise<void> {
  try {
    await fit(ctx, network)
  } catch (error) {
    if (!(error instanceof Fault) || error.type !== 'IpAddressGenerationFailure') throw error
    ctx.log.warn({ network_id: network.id }, 'no address is left for DHCP: make the allocation pools larger')
  }
}

async function fit(ctx: Ctx, network: NetworkRow): Promise<void> {
  const served = (await subnetsOf(ctx.db, [network.id])).filter(subnet => subnet.enable_dhcp)
  const port = await portRows.find(ctx.db, { device_id: dhcpDevice(network.id), device_owner: 'network:dhcp' })
  const wanted = served.map(subnet => ({ subnet_id: subnet.id }))
  if (!port) {
    if (wanted.length > 0)
      await makePort(ctx, network, {
        project_id: network.project_id,
        device_owner: 'network:dhcp',
        device_id: dhcpDevice(network.id),
        fixed_ips: wanted,
        row: { port_security_enabled: false },
      })
    return
  }
  if (wanted.length === 0) return removePorts(ctx, [port])
  const had = await allocationRows.list(ctx.db, { port_id: port.id })
  const same = had.length === wanted.length && wanted.every(w => had.some(a => a.subnet_id === w.subnet_id))
  if (!same) await setAddresses(ctx, port, wanted)
}
