/** How long guests wait for what they read of themselves when a hundred of them boot at once: from the host's agent over the bus and back. */
import { client } from '#kernel/bus/methods.ts'
import { serverCloud } from '../../src/services/compute/servers/fixtures/server-cloud.ts'
import { forwardMetadata } from '../../src/services/network/agent/metadata.ts'
import {
  type NetworkControlMethods,
  networkControlSubject,
  networkControlVersion,
} from '../../src/services/network/agent/methods.ts'
import { type Times, timesOf } from './timing.ts'

/** What software for a first boot asks for, in its order. */
const documents = [
  ...['/openstack', '/openstack/latest/meta_data.json', '/openstack/latest/network_data.json'],
  ...['/openstack/latest/user_data', '/openstack/latest/vendor_data.json', '/openstack/latest/vendor_data2.json'],
  ...['/latest/meta-data/', '/latest/meta-data/instance-id', '/latest/meta-data/public-keys/'],
]

export interface GuestsAsking {
  /** Of each request. */
  all: Times
  /** Of those for documents that were asked for a moment ago. */
  again: Times
}

/** `guests` at once, each asking for one document after another, `rounds` times. */
export async function guestsAskingTimes(guests: number, rounds: number): Promise<GuestsAsking> {
  const set = ['instances', 'cores', 'ram'].map(name => `compute.quota.${name}=-1`)
  await using cloud = await serverCloud({ vcpus: guests, memoryMb: guests * 1024, validateResponses: false, set })
  const demo = await cloud.project('bench')
  const { token } = await cloud.admin()
  await cloud.request('PUT', `/network/v2.0/quotas/${demo.id}`, { token, body: { quota: { port: -1 } } })
  const user_data = Buffer.from('#!/bin/sh\n').toString('base64')
  await cloud.ask(demo, { min_count: guests, user_data, return_reservation_id: false })
  await cloud.env.sagas.idle()
  const { body } = await cloud.api<{ servers: { addresses: Record<string, { addr: string }[]> }[] }>(
    demo,
    'GET',
    '/servers/detail',
  )
  const control = client<NetworkControlMethods>(cloud.env.bus, networkControlSubject, {
    timeoutMs: 10_000,
    version: networkControlVersion,
  })
  const ask = forwardMetadata(control, 'h1')
  const asked = { network_id: cloud.network, method: 'GET', headers: {}, body: Buffer.alloc(0) }

  async function boot(source_ip: string): Promise<number[]> {
    const times: number[] = []
    for (const path of documents) {
      // A guest does something between two questions, in its own time.
      await new Promise(resolve => setTimeout(resolve, 50 * Math.random()))
      const began = performance.now()
      const { status } = await ask({ ...asked, source_ip, path })
      times.push(performance.now() - began)
      if (status >= 500) throw new Error(`${path} answered ${status}`)
    }
    return times
  }
  const took: number[][] = []
  for (let round = 0; round < rounds; round++) {
    const addresses = body.servers.map(server => Object.values(server.addresses)[0]![0]!.addr)
    took.push((await Promise.all(addresses.map(boot))).flat())
  }
  const [, ...later] = took
  return { all: timesOf(took.flat()), again: timesOf(later.flat()) }
}
