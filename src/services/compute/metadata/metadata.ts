/** What guests read of themselves: by the metadata service, and on their config drive. Both are made of the same documents. */
import { posix } from 'node:path'
import type { Ctx } from '#kernel/context.ts'
import { Unavailable } from '#kernel/errors.ts'
import type { DriveFile } from '../drivers/driver.ts'
import type { ServerRow } from '../servers/server.ts'
import { keepGuestPassword } from '../servers/store-guest-data.ts'
import { changeOf } from '../servers/store-servers.ts'
import { ec2Item, ec2Text, ec2Tree, ec2Versions } from './ec2.ts'
import { factsOf, type GuestFacts } from './facts.ts'
import { type Kept, keptFor } from './kept.ts'
import { type Content, fileContents, openstackDocuments, openstackVersions } from './openstack.ts'

/** As upstream: four pieces of 255 bytes. */
const maxPasswordBytes = 1020

export interface GuestRequest {
  server_id: string
  path: string
  method: string
  body: string
}

export interface GuestAnswer {
  status: number
  headers: Record<string, string>
  body: string | Buffer
}

/** Answers what a guest asks the metadata service. */
export async function answerGuest(ctx: Ctx, request: GuestRequest): Promise<GuestAnswer> {
  const { server_id, method } = request
  const seen = await changeOf(ctx, server_id)
  if (seen === undefined) return refusal(404, 'Not Found')
  const kept = keptFor(ctx, server_id, seen)
  if (method === 'POST') return answerPost(ctx, request, kept)
  const answer = await kept.answer(request.path, path => answerAbout(kept, path)).catch(failed)
  if (method === 'GET') return answer
  if (answer.status === 200 && method !== 'HEAD') return refusal(405, 'Method Not Allowed')
  return { ...answer, body: method === 'HEAD' ? '' : answer.body }
}

/** What is not remembered: a source of vendor data that the operator will not do without. */
function failed(error: unknown): GuestAnswer {
  if (error instanceof Unavailable) return refusal(500, 'Internal Server Error')
  throw error
}

async function answerAbout(kept: Kept, path: string): Promise<GuestAnswer> {
  const parts = partsOf(path)
  const facts = await kept.facts()
  const found = parts && facts && (await lookUp(facts, parts))
  if (!found) return refusal(404, 'Not Found')
  const type = found.type === 'json' ? 'application/json' : 'text/plain; charset=UTF-8'
  return { status: 200, headers: { 'content-type': type }, body: found.content }
}

async function answerPost(ctx: Ctx, { server_id, path, body }: GuestRequest, kept: Kept): Promise<GuestAnswer> {
  const { status } = await answerAbout(kept, path)
  if (status !== 200) return refusal(404, 'Not Found')
  const [form, , name] = partsOf(path) ?? []
  if (form !== 'openstack' || name !== 'password') return refusal(405, 'Method Not Allowed')
  const answer = await keepPassword(ctx, server_id, body)
  kept.forget()
  return answer
}

const refusal = (status: number, title: string): GuestAnswer => ({
  status,
  headers: { 'content-type': 'text/plain; charset=UTF-8' },
  body: `${status} ${title}\n`,
})

/** The words of a path; undefined when it is none. */
function partsOf(path: string): string[] | undefined {
  try {
    const plain = decodeURIComponent(path.split(/[?#]/)[0]!)
    return posix
      .normalize(`/${plain}`)
      .split('/')
      .filter(part => part !== '')
  } catch {
    return undefined
  }
}

const text = (content: string | Buffer): Content => ({ type: 'text', content })

/** Whatever does not begin with `openstack` is EC2's. */
function lookUp(facts: GuestFacts, path: readonly string[]): Content | undefined | Promise<Content | undefined> {
  const [form, ...rest] = path
  if (form === 'openstack') return lookUpOpenstack(facts, rest)
  const [version, ...names] = form === 'ec2' ? rest : path
  if (version === undefined) return text(ec2Versions.join('\n'))
  const tree = ec2Tree(facts, version)
  const value = tree && ec2Item(tree, names)
  return value === undefined ? undefined : text(ec2Text(value, facts.key?.name))
}

function lookUpOpenstack(facts: GuestFacts, path: readonly string[]) {
  const [version, name, more] = path
  if (version === undefined) return text(openstackVersions.join('\n'))
  if (more !== undefined) return undefined
  if (version === 'content') {
    const files = fileContents(facts)
    return name !== undefined && Object.hasOwn(files, name) ? text(files[name]!) : undefined
  }
  const documents = openstackDocuments(facts, version)
  if (!documents) return undefined
  if (name === undefined) return text(Object.keys(documents).join('\n'))
  return Object.hasOwn(documents, name) ? documents[name]!() : undefined
}

/** The guest reports the password that it made, encrypted for its owner: once, until the owner clears it. */
async function keepPassword(ctx: Ctx, server_id: string, password: string): Promise<GuestAnswer> {
  if (Buffer.byteLength(password) > maxPasswordBytes) return refusal(400, 'Bad Request: the password is too large')
  if (password === '' || (await keepGuestPassword(ctx, server_id, password)))
    return { status: 200, headers: {}, body: '' }
  return refusal(409, 'Conflict')
}

/** Versions of the EC2 form that software still reads from drives. */
const ec2OnDrive = ['2009-04-04', 'latest']

/** Files of a server's config drive by path. */
export async function configDrive(ctx: Ctx, server: ServerRow): Promise<Record<string, DriveFile>> {
  const facts = await factsOf(ctx, server)
  const files: Record<string, DriveFile> = {}
  for (const version of openstackVersions) {
    for (const [name, document] of Object.entries(openstackDocuments(facts, version)!)) {
      // What the guest tells is not what it is told.
      if (name !== 'password') files[`openstack/${version}/${name}`] = driveFile((await document()).content)
    }
  }
  for (const [name, content] of Object.entries(fileContents(facts)))
    files[`openstack/content/${name}`] = driveFile(content)
  for (const version of ec2OnDrive) {
    const tree = ec2Tree(facts, version)!
    files[`ec2/${version}/meta-data.json`] = JSON.stringify(tree['meta-data'])
    if (facts.user_data) files[`ec2/${version}/user-data`] = driveFile(facts.user_data)
  }
  return files
}

const driveFile = (content: string | Buffer): DriveFile =>
  typeof content === 'string' ? content : { base64: content.toString('base64') }
