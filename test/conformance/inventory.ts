/** The operations that OpenStack's APIs have, from inventory/, and which of ours answers each. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../src/kernel/operation.ts'
import { services } from '../../src/services.ts'

const folder = join(import.meta.dirname, 'inventory')

/** A line of the inventory. */
export interface Known {
  service: string
  method: string
  path: string
  action?: string
  name: string
  max_version?: string
  /** The release or status since which it is gone upstream. */
  removed?: string | number
}

/** By service, in the order of the files' names. */
export function inventory(): Map<string, Known[]> {
  const names = readdirSync(folder).filter(name => name.endsWith('.jsonl'))
  return new Map(names.sort().map(name => [name.replace('.jsonl', ''), linesOf(name)]))
}

function linesOf(name: string): Known[] {
  const lines = readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean)
  return lines.map(line => JSON.parse(line) as Known)
}

/** Ids of our operations that answer a line: more than one when the line stands for several resources, or they share it by version. */
export function answering(known: Known): string[] {
  const service = services.find(one => one.type === known.service)
  if (!service) return []
  const shape = new RegExp(`^${shapeOf(known.path)}$`)
  const fitting = (asked: Known) => service.operations.filter(operation => fits(operation, asked, shape))
  const own = [...fitting(known), ...byWord(service.operations, known)]
  // As the server does: a HEAD that has no operation of its own is its GET without a body.
  const found = own.length > 0 || known.method !== 'HEAD' ? own : fitting({ ...known, method: 'GET' })
  return found.map(operation => operation.id)
}

function fits(operation: Operation, known: Known, shape: RegExp): boolean {
  const path = operation.path.replace(/\{[^}]+\}/g, '{}').replace(/(.)\/$/, '$1')
  // One that no key of the body chooses answers whatever the key is.
  const isChosen = operation.action === undefined || operation.action === known.action
  return operation.method === known.method && isChosen && shape.test(path)
}

/** Older operations that differ by a word where newer ones have an id (`os-services/enable`): one operation with a parameter answers them. */
function byWord(operations: readonly Operation[], { method, path, max_version }: Known): Operation[] {
  if (max_version === undefined) return []
  const shape = new RegExp(`^${shapeOf(path.replace(/\/[^/{}]+$/, '/{word}'))}$`)
  const fitting = operations.filter(one => fits(one, { service: '', method, path, name: '' }, shape))
  return fitting.filter(one => one.versions?.max === max_version)
}

/** `{resource_type}` stands for the name of any collection. */
function shapeOf(path: string): string {
  return path
    .replace(/(.)\/$/, '$1')
    .replace(/\.json$/, '')
    .replace(/[.]/g, '\\.')
    .replaceAll('{resource_type}', '[a-z-]+')
    .replace(/\{[^}]+\}/g, '\\{\\}')
}
