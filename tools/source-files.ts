/** Finds this repository's TypeScript. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths from the root and texts of every .ts file under `folders`. */
export function sourceFiles(root: string, folders: string[]): Map<string, string> {
  const files = new Map<string, string>()
  for (const folder of folders) {
    for (const entry of readFolder(join(root, folder))) {
      const path = `${folder}/${entry}`
      files.set(path, readFileSync(join(root, path), 'utf8'))
    }
  }
  return files
}

function readFolder(path: string): string[] {
  try {
    const entries = readdirSync(path, { recursive: true }) as string[]
    return entries.filter(entry => entry.endsWith('.ts') && !entry.includes('node_modules')).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
