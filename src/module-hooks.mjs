/** How modules are found and read: ours without a search, and as an npm package too. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ours = new URL('.', import.meta.url).href
const kysely = new URL('.', import.meta.resolve('kysely')).href

/** The file that an import means by its text alone. Ours all do, and Kysely's; searching for these 600 files is a third of a start. */
function named(specifier, parent = '') {
  const relative = specifier.startsWith('./') || specifier.startsWith('../')
  if (parent.startsWith(ours) && specifier.endsWith('.ts')) {
    if (relative) return { url: new URL(specifier, parent).href, format: 'module-typescript' }
    if (specifier.startsWith('#kernel/')) return { url: ours + specifier.slice(1), format: 'module-typescript' }
  }
  if (parent.startsWith(kysely) && relative) return { url: new URL(specifier, parent).href, format: 'module' }
  return undefined
}

registerHooks({
  resolve(specifier, context, next) {
    const found = named(specifier, context.parentURL)
    return found ? { ...found, shortCircuit: true } : next(specifier, context)
  },
})

/** The folder of packages that we are in, if we are one. */
const [packages] = ours.match(/^.*\/node_modules\//) ?? []

// The launcher says where; who imports us as a library has it beside the packages.
const cacheFolder = process.env.NODE_COMPILE_CACHE ?? (packages && fileURLToPath(new URL('.cache/nephos', packages)))
const cache = cacheFolder && join(cacheFolder, 'stripped')

/** The source without its types: kept beside the compiled code, since stripping is half of a start. */
function stripped(source) {
  if (!cache) return stripTypeScriptTypes(source)
  const file = join(cache, createHash('sha256').update(process.version).update(source).digest('hex'))
  try {
    return readFileSync(file, 'utf8')
  } catch {
    const text = stripTypeScriptTypes(source)
    keep(file, text)
    return text
  }
}

/** Whole or not at all, whoever else starts now. A folder that cannot be written to only makes starts slower. */
function keep(file, text) {
  try {
    mkdirSync(cache, { recursive: true })
    writeFileSync(`${file}.${process.pid}`, text)
    renameSync(`${file}.${process.pid}`, file)
  } catch {}
}

// Node strips no types under node_modules by itself.
if (packages) {
  registerHooks({
    load(url, context, next) {
      if (!url.startsWith(ours) || !url.endsWith('.ts')) return next(url, context)
      return { format: 'module', source: stripped(readFileSync(fileURLToPath(url), 'utf8')), shortCircuit: true }
    },
  })
}
