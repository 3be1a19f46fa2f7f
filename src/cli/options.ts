/** The one place that reads the command line: the flags of every command, and what is made of them. */
import { resolve } from 'node:path'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Command, UpOptions } from './command.ts'
import type { HostOptions } from './host-maintenance.ts'

/** What was typed makes no sense: shown on one line, exit code 2. */
export class UsageError extends Error {}

const dataFlag = { data: { type: 'string', default: 'nephos-data' } } as const
const listenFlags = {
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8774' },
} as const
const jsonFlag = { json: { type: 'boolean', default: false } } as const

const accessFlags = {
  role: { type: 'string', multiple: true, default: [] as string[] },
  user: { type: 'string', default: 'user' },
  project: { type: 'string', default: 'project' },
  domain: { type: 'string' },
  system: { type: 'boolean', default: false },
  target: { type: 'string', multiple: true, default: [] as string[] },
} as const

const upFlags = {
  data: { type: 'string' },
  ...listenFlags,
  virt: { type: 'string', default: 'auto' },
  network: { type: 'string', default: 'auto' },
  simulated: { type: 'boolean', default: false },
  hosts: { type: 'string' },
  projects: { type: 'string' },
  servers: { type: 'string' },
  snapshot: { type: 'string' },
  ephemeral: { type: 'boolean', default: false },
  workers: { type: 'string', default: '0' },
  'no-install': { type: 'boolean', default: false },
} as const

const readers: Record<string, (words: string[]) => Command> = {
  up: words => ({ name: 'up', options: upOptions(words) }),
  status(words) {
    const flags = read('status', words, { ...dataFlag, ...jsonFlag })
    return { name: 'status', options: { data: resolve(flags.data), json: flags.json } }
  },
  serve(words) {
    const flags = read('serve', words, { ...dataFlag, ...listenFlags, node: { type: 'string' } } as const)
    const { host, node } = flags
    if (!/^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/.test(node ?? '')) throw new UsageError('serve: --node NAME names this node')
    return { name: 'serve', options: { data: resolve(flags.data), host, port: portOf(flags.port), node: node! } }
  },
  scheduler: words => ({
    name: 'scheduler',
    options: { data: resolve(read('scheduler', words, { data: { type: 'string', default: 'scheduler-data' } }).data) },
  }),
  doctor(words) {
    const flags = read('doctor', words, { ...dataFlag, ...listenFlags, ...jsonFlag })
    const options = { data: resolve(flags.data), host: flags.host, port: portOf(flags.port), json: flags.json }
    return { name: 'doctor', options }
  },
  'image build'(words) {
    const { out } = read('image build', words, { out: { type: 'string' } })
    return { name: 'image build', options: { out: out === undefined ? undefined : resolve(out) } }
  },
  'image replicate'(words) {
    const { flags, words: clouds } = readWithWords('image replicate', ['FROM', 'TO'], words, {
      clouds: { type: 'string' },
    })
    const options = { from: clouds[0]!, to: clouds[1]!, clouds: flags.clouds && resolve(flags.clouds) }
    return { name: 'image replicate', options }
  },
  'db migrate': words => ({
    name: 'db migrate',
    options: { data: resolve(read('db migrate', words, dataFlag).data) },
  }),
  'db check': words => ({ name: 'db check', options: { data: resolve(read('db check', words, dataFlag).data) } }),
  'keys rotate'(words) {
    const flags = read('keys rotate', words, { ...dataFlag, forget: { type: 'boolean', default: false } })
    return { name: 'keys rotate', options: { data: resolve(flags.data), forget: flags.forget } }
  },
  trace(words) {
    const { flags, word } = readWithWord('trace', 'REQUEST_ID', words, dataFlag)
    return { name: 'trace', options: { data: resolve(flags.data), request: word } }
  },
  'api schema'(words) {
    const { flags, word } = readWithWord('api schema', 'SERVICE', words, {
      ...dataFlag,
      version: { type: 'string' },
    } as const)
    return { name: 'api schema', options: { service: word, version: flags.version, data: resolve(flags.data) } }
  },
  'fixed list'(words) {
    const { flags, word } = readWithWord('fixed list', 'HOST', words, dataFlag)
    return { name: 'fixed list', options: { data: resolve(flags.data), host: word } }
  },
  'cell list': words => ({ name: 'cell list', options: { data: resolve(read('cell list', words, dataFlag).data) } }),
  'metadata clashes'(words) {
    const flags = read('metadata clashes', words, { ...dataFlag, fix: { type: 'boolean', default: false } })
    return { name: 'metadata clashes', options: { data: resolve(flags.data), fix: flags.fix } }
  },
  'server why'(words) {
    const { flags, word } = readWithWord('server why', 'SERVER_ID', words, dataFlag)
    return { name: 'server why', options: { data: resolve(flags.data), server: word } }
  },
  ...Object.fromEntries(
    (['drain', 'suspend', 'resume', 'cancel'] as const).map(verb => [
      `host ${verb}`,
      (words: string[]) => hostVerb(verb, words),
    ]),
  ),
  'placement explain'(words) {
    const { flags, word } = readWithWord('placement explain', 'QUERY', words, dataFlag)
    return { name: 'placement explain', options: { data: resolve(flags.data), query: word } }
  },
  'policy list'(words) {
    const flags = read('policy list', words, { ...dataFlag, ...jsonFlag })
    return { name: 'policy list', options: { data: resolve(flags.data), json: flags.json } }
  },
  'policy check'(words) {
    const named = words[0] !== undefined && !words[0].startsWith('-')
    const flags = read('policy check', named ? words.slice(1) : words, { ...dataFlag, ...accessFlags })
    const unreadable = flags.target.find(pair => !/^[^=]+=/.test(pair))
    if (unreadable !== undefined) throw new UsageError(`policy check: --target is NAME=VALUE: not '${unreadable}'`)
    const { role: roles, data, domain, ...access } = flags
    return {
      name: 'policy check',
      options: { ...access, domain, roles, data: resolve(data), rule: named ? words[0] : undefined },
    }
  },
  'policy sample'(words) {
    return { name: 'policy sample', options: { data: resolve(read('policy sample', words, dataFlag).data) } }
  },
  'config sample'(words) {
    read('config sample', words, {})
    return { name: 'config sample', options: {} }
  },
}

const drainFlags = { live: { type: 'string', default: 'auto' }, together: { type: 'string' } } as const

function hostVerb(verb: HostOptions['verb'], words: string[]): Command {
  const command = `host ${verb}`
  const { flags, word: host } = readWithWord(command, 'HOST', words, { ...dataFlag, ...drainFlags })
  const { live, together } = flags
  if (verb !== 'drain' && live !== 'auto') throw new UsageError('--live goes with host drain only')
  const options = {
    ...{ data: resolve(flags.data), host, verb },
    live: oneOf('live', live, ['auto', 'yes', 'no'] as const),
    together: together === undefined ? undefined : wholeNumber('together', together, 1, 100),
  }
  return { name: 'host', options }
}

/**
 * Reads the words after `nephos`. No word at all, `help`, `--help` or `-h` anywhere is the command `help`.
 * Throws UsageError with a message that names the word at fault.
 */
export function parseCommand(words: string[]): Command {
  const [first = 'help', second = ''] = words
  if (first === 'help' || words.includes('--help') || words.includes('-h')) return { name: 'help', options: {} }
  if (first === '--version' || first === '-V') return { name: 'version', options: {} }
  const single = Object.hasOwn(readers, first) ? readers[first] : undefined
  if (single) return single(words.slice(1))
  const double = Object.hasOwn(readers, `${first} ${second}`) ? readers[`${first} ${second}`] : undefined
  if (double) return double(words.slice(2))
  const completions = Object.keys(readers).filter(name => name.startsWith(`${first} `))
  if (completions.length > 0) {
    const choice = completions.map(name => name.slice(first.length + 1)).join(' or ')
    throw new UsageError(`${first}: say ${choice}${second ? `, not '${second}'` : ''}`)
  }
  throw new UsageError(
    first.startsWith('-') ? `unknown option '${first}' before the command` : `unknown command '${first}'`,
  )
}

function upOptions(words: string[]): UpOptions {
  const flags = read('up', words, upFlags)
  const { simulated } = flags
  for (const name of ['hosts', 'projects', 'servers', 'snapshot'] as const)
    if (flags[name] !== undefined && !simulated) throw new UsageError(`--${name} goes with --simulated only`)
  const virt = oneOf('virt', flags.virt, ['auto', 'qemu', 'fake'] as const)
  const network = oneOf('network', flags.network, ['auto', 'linux', 'fake'] as const)
  if (simulated && (virt === 'qemu' || network === 'linux')) {
    const real = virt === 'qemu' ? '--virt qemu' : '--network linux'
    throw new UsageError(`--simulated means fake drivers: drop it, or drop ${real}`)
  }
  return {
    data: flags.ephemeral && flags.data === undefined ? undefined : resolve(flags.data ?? dataFlag.data.default),
    host: flags.host,
    port: portOf(flags.port),
    virt: simulated ? 'fake' : virt,
    network: simulated ? 'fake' : network,
    simulated,
    hosts: wholeNumber('hosts', flags.hosts ?? '1', 1, 10_000),
    projects: wholeNumber('projects', flags.projects ?? '0', 0, 10_000),
    servers: wholeNumber('servers', flags.servers ?? '0', 0, 100_000),
    snapshot: flags.snapshot === undefined ? undefined : resolve(flags.snapshot),
    ephemeral: flags.ephemeral,
    workers: wholeNumber('workers', flags.workers, 0, 256),
    install: !flags['no-install'],
  }
}

function read<T extends ParseArgsOptionsConfig>(command: string, words: string[], options: T) {
  try {
    return parseArgs({ args: words, options, strict: true, allowPositionals: false }).values
  } catch (error) {
    // The rest of Node's message explains what to do with a positional argument that starts with a dash.
    const [sentence = ''] = (error as Error).message.split('. ')
    throw new UsageError(`${command}: ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`)
  }
}

/** Of a command that is about one thing, which its word names. */
function readWithWord<T extends ParseArgsOptionsConfig>(command: string, name: string, words: string[], options: T) {
  const { words: found, flags } = readWithWords(command, [name], words, options)
  return { word: found[0]!, flags }
}

/** Of one that is about several. Its flags all have a value. */
function readWithWords<T extends ParseArgsOptionsConfig>(
  command: string,
  names: string[],
  words: string[],
  options: T,
) {
  const isValue = (i: number) => /^--[a-z-]+$/.test(words[i - 1] ?? '')
  const places = words.flatMap((word, i) => (word.startsWith('-') || isValue(i) ? [] : [i])).slice(0, names.length)
  const missing = names[places.length]
  if (missing !== undefined) throw new UsageError(`${command}: say which: nephos ${command} ${names.join(' ')}`)
  const flags = read(
    command,
    words.filter((_, i) => !places.includes(i)),
    options,
  )
  return { words: places.map(i => words[i]!), flags }
}

function oneOf<T extends string>(flag: string, value: string, choices: readonly T[]): T {
  const found = choices.find(choice => choice === value)
  if (!found) throw new UsageError(`--${flag} is ${choices.join(', ')}: not '${value}'`)
  return found
}

function wholeNumber(flag: string, value: string, min: number, max: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= min && number <= max)) {
    throw new UsageError(`--${flag} is a whole number from ${min} to ${max}: not '${value}'`)
  }
  return number
}

function portOf(value: string): number {
  return wholeNumber('port', value, 0, 65_535)
}
