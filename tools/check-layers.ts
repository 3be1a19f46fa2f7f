/** Fails when code breaks the architecture's rules (layers.ts): `node tools/check-layers.ts [ROOT]`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { complaintsAbout } from './layer-rules.ts'
import { npmPackages, npmPackagesForTests, npmPrograms } from './layers.ts'
import { sourceFiles } from './source-files.ts'

const root = process.argv[2] ?? join(import.meta.dirname, '..')
const files = sourceFiles(root, ['src', 'test', 'tools'])
const lines = [...complaintsAbout(files), ...packageComplaints()]
for (const line of lines) console.error(line)
console.log(`layers: ${files.size} files, ${lines.length} complaints`)
process.exitCode = lines.length > 0 ? 1 : 0

function packageComplaints(): string[] {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const allowed = [...npmPackages, ...npmPackagesForTests, ...npmPrograms]
  return Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies })
    .filter(name => !allowed.includes(name) && !name.startsWith('@types/'))
    .map(name => `package.json: ${name} is not in the list of tools/layers.ts`)
}
