/** Loads the extensions that the configuration names. What is wrong with one is told with its file and the field. */
import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '#kernel/config/sources.ts'
import { messageOf } from '#kernel/errors.ts'
import type { Operation } from '#kernel/operation.ts'
import { complaintsAbout } from './check.ts'
import type { Extension } from './extension.ts'

/** What the API has without them. */
export interface Known {
  operations: readonly Operation[]
  /** Aliases of its own parts. */
  aliases: readonly string[]
}

/** Those of modules and folders of modules, in this order; of a folder in that of the files' names. Throws `ConfigError`. */
export async function loadExtensions(paths: readonly string[], known: Known): Promise<Extension[]> {
  const loaded: Extension[] = []
  for (const file of new Set(paths.flatMap(modulesAt))) {
    const extension = await moduleAt(file)
    const operations = [...known.operations, ...loaded.flatMap(one => one.operations ?? [])]
    const aliases = [...known.aliases, ...loaded.map(one => one.alias)]
    const complaints = complaintsAbout(extension, { operations, aliases })
    if (complaints.length > 0) throw wrong(...complaints.map(words => `${file}: extension${words}`))
    loaded.push(extension as Extension)
  }
  return loaded
}

const wrong = (...problems: string[]) => new ConfigError(problems.map(problem => `compute.extensions: ${problem}`))

const isModule = (name: string) => /\.(mjs|ts)$/.test(name) && !/\.(d|test)\.ts$/.test(name)

/** The files that a path of the configuration means. */
function modulesAt(path: string): string[] {
  const whole = resolve(path)
  const found = statSync(whole, { throwIfNoEntry: false })
  if (!found) throw wrong(`there is no file or folder ${whole}`)
  if (!found.isDirectory()) return [whole]
  const names = readdirSync(whole).filter(isModule).sort()
  return names.map(name => join(whole, name))
}

async function moduleAt(file: string): Promise<unknown> {
  let module: { extension?: unknown }
  try {
    module = await import(pathToFileURL(file).href)
  } catch (cause) {
    const where = cause instanceof SyntaxError ? ` (node --check ${file} says where)` : ''
    throw wrong(`${file} cannot be loaded: ${messageOf(cause)}${where}`)
  }
  if (module.extension === undefined) throw wrong(`${file} is no extension: export const extension = { alias, … }`)
  return module.extension
}
