/** The command line as data: every command with its options, as they are read. */
import type { HostOptions } from './host-maintenance.ts'
import type { Access } from './policy.ts'
import type { ServeOptions } from './serve.ts'

export type VirtChoice = 'auto' | 'qemu' | 'fake'
export type NetworkChoice = 'auto' | 'linux' | 'fake'

export interface UpOptions {
  /** Absolute path of the data directory; an ephemeral cloud without one has a temporary one. */
  data: string | undefined
  host: string
  /** 0 lets the system choose. */
  port: number
  virt: VirtChoice
  network: NetworkChoice
  /** Fake drivers, no root, `hosts` simulated hosts. Then `virt` and `network` are `fake`. */
  simulated: boolean
  hosts: number
  /** How many projects and servers a new simulated cloud has from the beginning, beside those that every cloud has. */
  projects: number
  servers: number
  /** Absolute path of the snapshot that a new simulated cloud begins as. */
  snapshot: string | undefined
  /** Everything in memory, gone at exit. */
  ephemeral: boolean
  /** Processes that serve the API beside the main one, which keeps sagas and hosts; with 0 it does everything. */
  workers: number
  /** False: never install Debian packages, refuse with the command to run. */
  install: boolean
}

export type Command =
  | { name: 'up'; options: UpOptions }
  | { name: 'serve'; options: ServeOptions }
  | { name: 'scheduler'; options: { data: string } }
  | { name: 'status'; options: { data: string; json: boolean } }
  | { name: 'doctor'; options: { data: string; host: string; port: number; json: boolean } }
  | { name: 'image build'; options: { out: string | undefined } }
  | { name: 'image replicate'; options: { from: string; to: string; clouds: string | undefined } }
  | { name: 'db migrate'; options: { data: string } }
  | { name: 'db check'; options: { data: string } }
  | { name: 'keys rotate'; options: { data: string; forget: boolean } }
  | { name: 'trace'; options: { data: string; request: string } }
  | { name: 'api schema'; options: { service: string; version: string | undefined; data: string } }
  | { name: 'fixed list'; options: { data: string; host: string } }
  | { name: 'cell list'; options: { data: string } }
  | { name: 'metadata clashes'; options: { data: string; fix: boolean } }
  | { name: 'server why'; options: { data: string; server: string } }
  | { name: 'host'; options: HostOptions }
  | { name: 'placement explain'; options: { data: string; query: string } }
  | { name: 'policy list'; options: { data: string; json: boolean } }
  | { name: 'policy check'; options: { data: string; rule: string | undefined } & Access }
  | { name: 'policy sample'; options: { data: string } }
  | { name: 'config sample'; options: Record<string, never> }
  | { name: 'help'; options: Record<string, never> }
  | { name: 'version'; options: Record<string, never> }
