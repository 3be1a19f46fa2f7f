/** The network API's errors by the names and words that clients match. */
import { BadRequest, Conflict, NotFound, OverQuota, Unavailable } from '#kernel/errors.ts'

/** Wrong input in one of the resources: `Bad router request: …`. */
export const badResource = (resource: string, message: string) =>
  new BadRequest(`Bad ${resource} request: ${message}.`, { type: 'BadRequest' })

export const invalidInput = (message: string) =>
  new BadRequest(`Invalid input for operation: ${message}.`, { type: 'InvalidInput' })

export const networkNotFound = (id: string) =>
  new NotFound(`Network ${id} could not be found.`, { type: 'NetworkNotFound' })

export const subnetNotFound = (id: string) =>
  new NotFound(`Subnet ${id} could not be found.`, { type: 'SubnetNotFound' })

export const portNotFound = (id: string) => new NotFound(`Port ${id} could not be found.`, { type: 'PortNotFound' })

export const securityGroupNotFound = (id: string) =>
  new NotFound(`Security group ${id} does not exist`, { type: 'SecurityGroupNotFound' })

export const networkInUse = (id: string) =>
  new Conflict(
    `Unable to complete operation on network ${id}. There are one or more ports still in use on the network.`,
    { type: 'NetworkInUse' },
  )

export const subnetInUse = (id: string, reason = 'One or more ports have an IP allocation from this subnet') =>
  new Conflict(`Unable to complete operation on subnet ${id}: ${reason}.`, { type: 'SubnetInUse' })

export const ipAddressInUse = (networkId: string, address: string) =>
  new Conflict(`Unable to complete operation for network ${networkId}. The IP address ${address} is in use.`, {
    type: 'IpAddressInUse',
  })

export const macAddressInUse = (networkId: string, mac: string) =>
  new Conflict(`Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`, {
    type: 'MacAddressInUse',
  })

export const noMoreAddresses = (networkId: string) =>
  new Conflict(`No more IP addresses available on network ${networkId}.`, { type: 'IpAddressGenerationFailure' })

export const invalidIpForNetwork = (address: string) =>
  new BadRequest(`IP address ${address} is not a valid IP for any of the subnets on the specified network.`, {
    type: 'InvalidIpForNetwork',
  })

export const invalidIpForSubnet = (address: string) =>
  new BadRequest(`IP address ${address} is not a valid IP for the specified subnet.`, { type: 'InvalidIpForSubnet' })

export const noNetworkAvailable = () =>
  new Unavailable('Unable to create the network. No project network is available for allocation.', {
    type: 'NoNetworkAvailable',
  })

export const overQuota = (resources: string[]) =>
  new OverQuota(`Quota exceeded for resources: [${resources.map(r => `'${r}'`).join(', ')}].`, {
    status: 409,
    type: 'OverQuota',
  })

export const servicePortInUse = (id: string, deviceOwner: string) =>
  new Conflict(`Port ${id} cannot be deleted directly via the port API: has device owner ${deviceOwner}.`, {
    type: 'ServicePortInUse',
  })

export const portBound = (id: string, oldMac: string, newMac: string) =>
  new Conflict(
    `Unable to complete operation on port ${id}, port is already bound, port type: bridge, old_mac ${oldMac}, new_mac ${newMac}.`,
    { type: 'PortBound' },
  )

export const portInUse = (id: string, networkId: string, deviceId: string) =>
  new Conflict(
    `Unable to complete operation on port ${id} for network ${networkId}. Port already has an attached device ${deviceId}.`,
    { type: 'PortInUse' },
  )
