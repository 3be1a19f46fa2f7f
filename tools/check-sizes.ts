/** Keeps files short: warns over 300 lines, fails over 500 unless size-exceptions.json allows it, and that list may only shrink. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judgeSizes } from './size-rules.ts'
import { sourceFiles } from './source-files.ts'

const root = join(import.meta.dirname, '..')
const exceptionsPath = join(root, 'tools/size-exceptions.json')
const exceptions: Record<string, number> = JSON.parse(readFileSync(exceptionsPath, 'utf8'))
const sizes = new Map<string, number>()
for (const [path, text] of sourceFiles(root, ['src', 'test', 'tools'])) {
  sizes.set(path, text.split('\n').length - 1)
}

const { warnings, failures, shrunk } = judgeSizes(sizes, exceptions)
if (process.argv.includes('--shrink')) {
  writeFileSync(exceptionsPath, `${JSON.stringify(shrunk, null, 2)}\n`)
}
for (const line of warnings) console.log(`warning: ${line}`)
for (const line of failures) console.error(line)
console.log(`sizes: ${sizes.size} files, ${warnings.length} warnings, ${failures.length} failures`)
process.exitCode = failures.length > 0 ? 1 : 0
