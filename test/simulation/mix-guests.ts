/** What clients do in guests: software that servers are to have, and builds of the agents. */
import { createHash } from 'node:crypto'
import type { Request } from './clients.ts'
import type { Act, Scene } from './mix-servers.ts'
import { type Page, site } from './web.ts'

const compute = '/compute/v2.1'
const headers = { 'openstack-api-version': 'compute latest' }

/** A request for software, as servers may be asked for with one. */
export function softwareWish({ dice }: Scene) {
  const driver = dice.pick(['packages', 'packages', 'puppet', 'chef'])
  const packages = ['vim', 'nginx', 'no-such-thing', { name: 'git', version: '2.1' }].filter(() => dice.chance(0.5))
  const manifest = driver === 'puppet' ? "notify { 'there': }" : '{"run_list": []}'
  return { driver, packages, ...(driver !== 'packages' && { manifest }) }
}

const software: Act = (world, { known }) => {
  const { dice } = world
  const id = dice.pick(known.server)
  if (!id) return undefined
  const path = `${compute}/servers/${id}/os-software`
  if (dice.chance(0.3)) return { method: 'GET', path: dice.pick([path, `${compute}/servers/${id}/os-agent`])!, headers }
  return { method: 'PUT', path, headers, body: { software: softwareWish(world) } }
}

const fileOf = (version: string) => Buffer.from(`#!/bin/sh\nversion ${version}\n`)

/** What the web has of builds: `/agent-1.2`, `/slow-agent-1.2`, `/broken-agent-1.2`. */
export function agentPage(path: string): Page | undefined {
  const [, how, version] = /^\/(?:(slow|broken)-)?agent-([\d.]+)$/.exec(path) ?? []
  if (version === undefined) return undefined
  return { bytes: fileOf(version), ...(how === 'slow' && { afterMs: 30_000 }), broken: how === 'broken' }
}

const agents: Act = ({ dice }, { name, known }): Request | undefined => {
  if (name !== 'admin') return undefined
  const path = `${compute}/os-agents`
  const older = { 'openstack-api-version': 'compute 2.90' }
  const version = `1.${dice.between(1, 9)}`
  const page = dice.pick(['agent', 'agent', 'agent', 'slow-agent', 'broken-agent', 'absent'])
  const md5hash = createHash('md5').update(fileOf(version)).digest('hex')
  const file = { version, url: `${site}/${page}-${version}`, md5hash }
  const id = dice.pick(known.agent_build)
  if (id && dice.chance(0.2))
    return { method: 'DELETE', path: `${path}/${id}`, headers: older, removes: ['agent_build', id] }
  if (id && dice.chance(0.8)) return { method: 'PUT', path: `${path}/${id}`, headers: older, body: { para: file } }
  const kind = { hypervisor: 'fake', os: 'linux', architecture: 'x86_64' }
  return {
    ...{ method: 'POST', path, headers: older, body: { agent: { ...kind, ...file } } },
    heard: ({ body }) => void (body?.agent && known.agent_build.push(String(body.agent.agent_id))),
  }
}

export const guestActs: Record<string, [number, Act]> = { software: [3, software], agents: [4, agents] }
