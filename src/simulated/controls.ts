/** What a test may do to a simulated cloud: the same by HTTP below `/_nephos` and in the process. Imports nothing: packages read its types. */

/** Where the controls are on the one port. */
export const controlsPath = '/_nephos'

export interface ClockState {
  /** What time it is in the cloud: `2026-01-31T12:00:00.000Z`. */
  now: string
  /** True when time stands still until it is advanced. */
  frozen: boolean
  /** How fast time passes: 1 is real time. */
  speed: number
  /** How many timers wait. */
  timers: number
}

/** What a fault is about; all that is given has to fit. `*` in a pattern stands for anything. */
export interface FaultPlace {
  /** Of requests: the operation's id, `compute.servers.create`, `network.*`. */
  operation?: string
  /** Of requests: `POST`. */
  method?: string
  /** Of requests: the path as it was sent, without its query, `/compute/v2.1/servers/*`. */
  path?: string
  /** Of work that goes on after an answer: the saga's id, `compute.servers.create`, `compute.servers.*`. */
  work?: string
  /** Of work: the step before which it happens, `spawn on *`; the first by default. */
  step?: string
  /** Id or name of the project of who asked. */
  project?: string
  /** An id in the path, or the name that the body gives to what is to be made; of work the id of what it is done to as well. */
  resource?: string
  /** Which of the calls that fit is the first, 1 (the default) being the next. */
  call?: number
  /** How many calls from that one on; 1 by default. */
  times?: number | 'every'
}

export type FaultEffect =
  /** Answers in place of the operation, in the service's own envelope around `message` unless a body is given. */
  | { kind: 'answer'; status: number; message?: string; headers?: Record<string, string>; body?: unknown }
  /** Answers that the project is over its quota, in the service's own words. */
  | { kind: 'over-quota' }
  /** Answers, or does the work, so much later. */
  | { kind: 'delay'; seconds: number }
  /** Breaks the connection: before anything is done, or `after`, so that the client does not learn of it. */
  | { kind: 'drop'; after?: boolean }
  /** Placement offers no host for what the project asks for. */
  | { kind: 'no-valid-host' }
  /** Nobody is there to choose a host: new servers wait until the fault is removed, or ask again and do not meet it. */
  | { kind: 'no-scheduler' }
  /** The work stays where it is until the fault is removed, the work's deadline passes, or a delete ends it. */
  | { kind: 'stuck' }
  /** The work fails with this message, and what was done of it is undone. */
  | { kind: 'error'; message: string }

export type NewFault = FaultPlace & FaultEffect

export type Fault = NewFault & {
  id: string
  /** How many calls have fitted so far. */
  seen: number
  /** How many of them it has hit. */
  hits: number
}

/** A request that came, in the order in which they were answered. */
export interface Call {
  /** Grows by one with each. */
  number: number
  /** When it came, by the cloud's clock. */
  at: string
  method: string
  /** With its query. */
  url: string
  /** Null when there is no such route. */
  operation: string | null
  project_id: string | null
  user_id: string | null
  /** As in `X-Openstack-Request-Id`. */
  request_id: string | null
  /** Null when the connection broke before the answer was sent. */
  status: number | null
  /** By the real clock. */
  milliseconds: number
  /** Ids of the faults that hit it. */
  faults: string[]
}

/** All that is given has to fit. */
export interface CallFilter {
  /** `*` stands for anything. */
  operation?: string
  method?: string
  project_id?: string
  status?: number
  /** Only calls of a higher number. */
  after?: number
}

/** What a test may claim of the whole cloud. */
export const assertionNames = [
  /** Nothing contradicts itself: room, ports, guests and what the database says of them. Violated, it is a bug of this cloud. */
  'sound',
  /** No work is under way. */
  'at-rest',
  /** Nothing is there of what was made since the cloud was ready, reset or restored. */
  'nothing-left',
  /** Of what was made since then, every port is one of a server that is there. */
  'no-leaked-ports',
  /** No server is in ERROR, and no image was killed. */
  'no-errors',
] as const

export type AssertionName = (typeof assertionNames)[number]

export interface Claim {
  name?: AssertionName
  /** Id or name: what belongs to other projects does not count. */
  project?: string
}

export interface Assertion {
  name: AssertionName
  holds: boolean
  /** What speaks against it. */
  problems: { about: string; ids: string[] }[]
}

/** What a cloud is filled with, beside what it has. */
export interface Preset {
  /** More hosts. */
  hosts?: number
  /** More projects: `project-1` with a user and a network of the same name, the password of `demo`, and no quota. */
  projects?: number
  /** Servers, spread evenly over the new projects; without any they belong to the project `demo`. They are ACTIVE when it ends. */
  servers?: number
}

export interface Filled {
  hosts: string[]
  projects: { id: string; name: string; user: string; servers: number }[]
}

export interface Controls {
  clock: {
    show(): Promise<ClockState>
    /** Time stands still from now on. */
    freeze(): Promise<ClockState>
    /** Time passes from now on, `speed` times as fast as outside (by default as fast). */
    run(speed?: number): Promise<ClockState>
    /** Moves time forward, frozen or not, and does all that is due until then, in order. */
    advance(seconds: number): Promise<ClockState>
    /** Moves time forward until no work is under way, by an hour at most unless told otherwise. `idle` is false when there is work still. */
    runUntilIdle(limitSeconds?: number): Promise<ClockState & { idle: boolean }>
  }
  faults: {
    /** From now on, until it has hit as often as it should. Throws for one that makes no sense, or fits nothing there is. */
    add(fault: NewFault): Promise<Fault>
    list(): Promise<Fault[]>
    show(id: string): Promise<Fault>
    /** What was stuck by it goes on. */
    remove(id: string): Promise<void>
    clear(): Promise<void>
  }
  calls: {
    /** The newest ten thousand, oldest first; none of those to the controls. */
    list(filter?: CallFilter): Promise<Call[]>
    clear(): Promise<void>
  }
  assertions: {
    /** Looks whether they hold: all of them, or the one that is named. */
    check(claim?: Claim): Promise<Assertion[]>
    /** Throws, saying what speaks against it, when one does not hold. */
    require(name: AssertionName, claim?: Omit<Claim, 'name'>): Promise<void>
  }
  hosts: {
    list(): Promise<Host[]>
    show(name: string): Promise<Host>
    /** The host is away from now on: its agent neither answers nor reports, and what it was doing is never done. Guests live on by default. */
    leave(name: string, options?: { guests?: GuestsFate }): Promise<Host>
    /** The host is back, was heard of, and knows what to carry. */
    return(name: string): Promise<Host>
  }
  /** Fills the cloud with hosts, projects and servers, through its own APIs. */
  fill(preset: Preset): Promise<Filled>
  /** The whole cloud as one file, an SQLite database: the state of all its services, its guests, the bytes of its images, and its time. */
  snapshot(): Promise<Uint8Array>
  /** Makes the cloud what it was when a snapshot was taken, of this cloud or of another. */
  restore(snapshot: Uint8Array): Promise<void>
  /** Makes the cloud what it was when it was ready: nothing stays of what was made, of faults and of calls, and time is real again. */
  reset(): Promise<void>
}

/** Guests of a host that goes away live on, as when its agent or its network fails, or die, as when it loses its power. */
export const guestsFates = ['live', 'die'] as const

export type GuestsFate = (typeof guestsFates)[number]

/** A simulated host. */
export interface Host {
  name: string
  /** Nobody there answers, or says that it lives. */
  away: boolean
  /** How many there are, running or not. */
  guests: number
}

/** What a client needs to log in, by the names that clients know. */
export interface CloudAuth {
  auth_url: string
  username: string
  password: string
  user_domain_name: string
  project_name: string
  project_domain_name: string
  region_name: string
}

export interface StartOptions {
  /** How many simulated hosts; 1 by default. */
  hosts?: number
  /** Address to listen on; loopback by default. */
  host?: string
  /** A free one by default. */
  port?: number
  /** What else is in it from the beginning, after a reset as well. */
  preset?: Omit<Preset, 'hosts'>
  /** It begins as what was snapshot, in place of as a new cloud. */
  snapshot?: Uint8Array
  /** Settings of the configuration, `section.key=value`; `nephos config sample` lists them. */
  settings?: string[]
  /** Path of a file for the log; there is none by default. */
  log?: string
}

export interface TestCloud extends Controls, AsyncDisposable {
  /** Base address; each service is below it: `/identity`, `/compute` … */
  readonly url: string
  /** Path of a clouds.yaml with `nephos` (project demo), `nephos-admin` (project admin) and `nephos-system`. */
  readonly cloudsFile: string
  readonly auth: { demo: CloudAuth; admin: CloudAuth }
  /** Variables for clients that are programs: `OS_CLIENT_CONFIG_FILE` and `OS_CLOUD`. */
  environment(cloud?: 'nephos' | 'nephos-admin' | 'nephos-system'): Record<string, string>
  /** Ends the cloud; nothing of it stays. The same as disposing of it. */
  stop(): Promise<void>
}
