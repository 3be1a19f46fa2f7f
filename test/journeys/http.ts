/** Requests from inside a stage, quicker than the openstack client, so that they can be interrupted. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Answered, Asked, Errand } from './requests.ts'
import type { Stage } from './stage.ts'

/** A client that is quick enough to be interrupted: curl inside the stage's namespace. */
export async function call<T = Record<string, never>>(
  stage: Stage,
  method: string,
  path: string,
  token: string,
  body?: unknown,
): Promise<{ status: number; body: T } | undefined> {
  const { code, out } = await stage.run('curl', [
    '-s',
    '-m',
    '10',
    '-X',
    method,
    '-H',
    `x-auth-token: ${token}`,
    '-H',
    'content-type: application/json',
    '-H',
    'openstack-api-version: compute 2.90',
    '-w',
    '\n%{http_code}',
    ...(body ? ['-d', JSON.stringify(body)] : []),
    `http://127.0.0.1:8774${path}`,
  ])
  if (code !== 0) return undefined
  const cut = out.lastIndexOf('\n')
  const text = out.slice(0, cut)
  return { status: Number(out.slice(cut + 1)), body: (text.startsWith('{') ? JSON.parse(text) : {}) as T }
}

/** A token of an entry of clouds.yaml. */
export async function login(stage: Stage, cloud: string): Promise<string> {
  const { clouds } = parse(readFileSync(join(stage.data, 'clouds.yaml'), 'utf8')) as {
    clouds: Record<string, { auth: { username: string; password: string; project_name: string } }>
  }
  const { username, password, project_name } = clouds[cloud]!.auth
  const domain = { name: 'Default' }
  const body = {
    auth: {
      identity: { methods: ['password'], password: { user: { name: username, password, domain } } },
      scope: { project: { name: project_name, domain } },
    },
  }
  const { out } = await stage.run('curl', [
    '-s',
    '-i',
    '-H',
    'content-type: application/json',
    '-d',
    JSON.stringify(body),
    'http://127.0.0.1:8774/identity/v3/auth/tokens',
  ])
  return /x-subject-token: (\S+)/i.exec(out)![1]!
}

/** Requests one after the other, or some at once, each on a connection of its own. */
export async function errand(stage: Stage, asked: Asked[], atOnce = 1): Promise<Answered[]> {
  const order: Errand = { base: 'http://127.0.0.1:8774', asked, atOnce }
  const [file, argv] = stage.inside(process.execPath, [join(import.meta.dirname, 'requests.ts')])
  return new Promise((done, fail) => {
    const child = execFile(file, argv, { maxBuffer: 64 * 1024 * 1024 }, (error, out) =>
      error
        ? fail(error)
        : done(
            out
              .split('\n')
              .filter(Boolean)
              .map(line => JSON.parse(line) as Answered),
          ),
    )
    child.stdin!.end(JSON.stringify(order))
  })
}
