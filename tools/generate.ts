/** Writes the files that are made from values of the program; `--check` only says which are out of date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newDatabase } from './new-database.ts'
import { serverStates } from './server-states.ts'

const root = join(import.meta.dirname, '..')
const pages: Record<string, () => string | Promise<string>> = {
  'docs/server-states.md': serverStates,
  'src/new-database.sql': newDatabase,
}

const check = process.argv.includes('--check')
for (const [name, write] of Object.entries(pages)) {
  const path = join(root, name)
  const text = await write()
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
  if (!check) writeFileSync(path, text)
  else {
    console.error(`${name} is out of date: npm run generate`)
    process.exitCode = 1
  }
}
