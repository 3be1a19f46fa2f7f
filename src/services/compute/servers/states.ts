/** Which action is allowed on a server in which state: the one table that the routes obey and that the docs show. */
import type { TaskState, VmState } from './server.ts'

/** Waits after which a task counts as stuck, by the names that the configuration has for them. */
export type Stuck = 'reboot' | 'rebuild' | 'move'

export interface Allowed {
  /** States from which it is allowed; from all others it is a 409. */
  from: readonly VmState[]
  /** The task that it sets; null: the server stays free for others meanwhile. */
  task: TaskState | null
  /** Tasks that it takes the place of. Absent: none, so a server that is busy refuses it. */
  over?: readonly TaskState[]
  /** Tasks that it takes the place of once nothing has changed for so long that they must be stuck. */
  overStuck?: { tasks: readonly TaskState[]; after: Stuck }
  /** The lock of a server does not stop it. */
  evenLocked?: true
  /** How messages call it, when not by its own name. */
  called?: string
}

const running: VmState[] = ['active', 'paused', 'suspended', 'stopped']
/** Tasks that never end when the host dies under them. */
const hostTasks: TaskState[] = [
  ...['powering-off', 'powering-on', 'rebooting', 'rebooting_hard', 'pausing', 'unpausing', 'suspending'],
  ...['resuming', 'image_snapshot', 'image_backup', 'rebuilding', 'rescuing', 'unrescuing'],
] as TaskState[]
/** Tasks of moves, at a time when the server is on its host still. */
const moveTasks: TaskState[] = ['resize_prep', 'resize_migrating', 'resize_finish', 'migrating', 'shelving']
/** Where volumes come and go: also on the shelf, from 2.20 on. */
const withVolumes: VmState[] = [
  ...(['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded'] as const),
]
const powerTasks: TaskState[] = ['rebooting', 'rebooting_hard', 'pausing', 'unpausing', 'suspending', 'resuming']

const start = { from: ['stopped'], task: 'powering-on' } as const
const stop = { from: ['active', 'error'], task: 'powering-off' } as const

const table = {
  start,
  stop,
  'power-on': start,
  'power-off': stop,
  pause: { from: ['active'], task: 'pausing' },
  unpause: { from: ['paused'], task: 'unpausing' },
  suspend: { from: ['active'], task: 'suspending' },
  resume: { from: ['suspended'], task: 'resuming' },
  reboot: {
    from: ['active'],
    task: 'rebooting',
    overStuck: { tasks: ['rebooting', 'rebooting_hard'], after: 'reboot' },
  },
  'hard reboot': {
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    task: 'rebooting_hard',
    over: powerTasks,
    called: 'reboot',
  },
  rebuild: {
    from: ['active', 'stopped', 'error'],
    task: 'rebuilding',
    overStuck: { tasks: ['rebuilding'], after: 'rebuild' },
  },
  rescue: { from: ['active', 'stopped', 'error'], task: 'rescuing' },
  unrescue: { from: ['rescued'], task: 'unrescuing' },
  createImage: { from: running, task: 'image_snapshot', evenLocked: true },
  createBackup: { from: running, task: 'image_backup', evenLocked: true },
  changePassword: { from: ['active'], task: null },
  trigger_crash_dump: { from: ['active', 'paused', 'rescued', 'resized', 'error'], task: null },
  attach_interface: { from: ['active', 'paused', 'stopped'], task: null },
  detach_interface: { from: ['active', 'paused', 'stopped'], task: null },
  attach_volume: { from: withVolumes, task: null },
  detach_volume: { from: withVolumes, task: null },
  swap_volume: { from: ['active', 'paused', 'resized'], task: null },
  software: { from: ['active'], task: null },
  injectNetworkInfo: { from: [...running, 'rescued', 'resized', 'error'], task: null },
  resize: {
    from: ['active', 'stopped'],
    task: 'resize_prep',
    overStuck: { tasks: ['resize_prep', 'resize_migrating', 'resize_finish'], after: 'move' },
  },
  migrate: { from: ['active', 'stopped'], task: 'resize_prep' },
  confirmResize: { from: ['resized'], task: null },
  revertResize: { from: ['resized'], task: 'resize_reverting' },
  'os-migrateLive': { from: ['active', 'paused'], task: 'migrating' },
  evacuate: {
    from: ['active', 'stopped', 'error'],
    task: 'rebuilding',
    over: [...hostTasks, ...moveTasks],
    evenLocked: true,
  },
  shelve: { from: running, task: 'shelving' },
  shelveOffload: { from: ['shelved'], task: 'shelving_offloading' },
  unshelve: { from: ['shelved', 'shelved_offloaded'], task: 'unshelving' },
  softDelete: {
    from: [...running, 'rescued', 'shelved', 'error', 'soft-delete'],
    task: 'soft-deleting',
    over: [...hostTasks.filter(task => task !== 'rebuilding'), 'restoring'],
    called: 'delete',
  },
  restore: { from: ['soft-delete'], task: 'restoring' },
} as const satisfies Record<string, Allowed>

export type ActionName = keyof typeof table

export const allowed: Record<ActionName, Allowed> = table
