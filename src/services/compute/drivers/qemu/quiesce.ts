/** Holds a guest's file systems still while a snapshot of its disk begins: frozen by the guest's agent, and thawed in any case. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '#kernel/errors.ts'
import { AgentRefusal, GuestError, isTrue } from '../driver.ts'
import type { Machine } from './command-line.ts'
import { agentSocket, askAgent } from './guest-agent.ts'
import { exists, type GuestFiles, type QemuHost } from './host.ts'
import { imageProperty } from './record.ts'

/** The guest writes out all that it has in memory first. */
const freezeMs = 60_000
const thawTries = 60
const betweenTriesMs = 5_000
/** How long a snapshot waits for a guest that does not thaw at once; the tries go on after it. */
const patienceMs = 20_000

export interface Quiet {
  host: QemuHost
  files: GuestFiles
  machine: Machine
  /** Only a guest whose CPUs run can answer. */
  running: boolean
}

/** There while the guest is, or may be, frozen: in a folder that every boot begins anew. */
const markOf = (files: GuestFiles) => join(files.run, 'frozen')

/** Runs `work` with the guest frozen where its image promises an agent. Fails without one only when the image says that it must not be done otherwise. */
export async function whileFrozen<T>(quiet: Quiet, work: () => Promise<T>): Promise<T> {
  const { host, files, machine } = quiet
  const required = isTrue(imageProperty(machine.spec, 'os_require_quiesce'))
  if (!machine.agent && !required) return await work()
  try {
    await freeze(quiet)
  } catch (error) {
    await thawed(host, files)
    if (required) throw error
    host.log.info({ guest: machine.spec.id, err: messageOf(error) }, 'a guest is copied without being frozen')
    return await work()
  }
  try {
    return await work()
  } finally {
    await thawed(host, files)
  }
}

async function freeze({ host, files, machine, running }: Quiet): Promise<void> {
  if (!machine.agent) throw new GuestError('QEMU guest agent is not enabled')
  if (!running) throw new GuestError(`Guest ${machine.spec.id} does not run, so that its agent cannot freeze it.`)
  const agent = join(files.dir, agentSocket)
  await askAgent(host.clock, agent, 'guest-ping', {})
  await writeFile(markOf(files), '', { mode: 0o600 })
  await askAgent(host.clock, agent, 'guest-fsfreeze-freeze', {}, { workMs: freezeMs })
}

/** Thaws a guest that an earlier life of ours, or a snapshot, left frozen. Goes on trying after it has returned, until the guest is thawed or has begun anew. */
export async function thawed(host: QemuHost, files: GuestFiles): Promise<void> {
  await Promise.race([thaw(host, files), host.clock.sleep(patienceMs)])
}

async function thaw(host: QemuHost, files: GuestFiles): Promise<void> {
  for (let left = thawTries; await exists(markOf(files)); await host.clock.sleep(betweenTriesMs)) {
    try {
      await thawNow(host, join(files.dir, agentSocket))
      return await rm(markOf(files), { force: true })
    } catch (error) {
      const told = { guest: files.dir, err: messageOf(error) }
      if (--left === 0) return host.log.error(told, 'a guest stays frozen, since its agent is silent: reboot it')
      host.log.warn(told, 'a frozen guest does not thaw; trying again')
    }
  }
}

/** A Windows thaws by itself after ten seconds, and has nothing to thaw then. */
async function thawNow({ clock }: QemuHost, agent: string): Promise<void> {
  try {
    await askAgent(clock, agent, 'guest-fsfreeze-thaw', {})
  } catch (error) {
    const thawed =
      error instanceof AgentRefusal && (await askAgent(clock, agent, 'guest-fsfreeze-status', {})) === 'thawed'
    if (!thawed) throw error
  }
}
