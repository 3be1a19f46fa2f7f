/** Files that browsers load: only what is in a folder when it is first asked for can be had, so no path leads out of it. */
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { NotFound } from '../errors.ts'

export interface StaticFolder {
  /** Where it is on the port, without a slash at the end: `/console`. */
  path: string
  folder: string
  headers(name: string): Record<string, string>
}

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

export function serveFolder(app: FastifyInstance, { path, folder, headers }: StaticFolder): void {
  let listing: Promise<Map<string, string>> | undefined
  app.get(`${path}/*`, async (request: FastifyRequest, reply: FastifyReply) => {
    const name = (request.params as { '*': string })['*']
    listing ??= filesIn(folder)
    const file = (await listing).get(name)
    if (file === undefined) throw new NotFound()
    return reply
      .headers({ 'x-content-type-options': 'nosniff', ...headers(name) })
      .type(contentTypes[extname(file)]!)
      .send(createReadStream(file))
  })
}

/** Files of known types by their names below the folder, with slashes. */
async function filesIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || contentTypes[extname(entry.name)] === undefined) continue
    const file = join(entry.parentPath, entry.name)
    found.set(relative(folder, file).replaceAll(sep, '/'), file)
  }
  return found
}
