/** The cloud as a whole: filled, snapshot, restored, reset, and what may be claimed of it. */
import type { Readable } from 'node:stream'
import { PayloadTooLarge } from '#kernel/errors.ts'
import { reply } from '#kernel/operation.ts'
import { Type } from '#kernel/schema/builders.ts'
import { controlOperation } from './control-operation.ts'
import type { AssertionName } from './controls.ts'

const assertion = Type.Object({
  name: Type.String(),
  holds: Type.Boolean(),
  problems: Type.Array(Type.Object({ about: Type.String(), ids: Type.Array(Type.String()) })),
})

const ofProject = Type.Object(
  { project: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Id or name.' })) },
  { additionalProperties: false },
)

const checkAll = controlOperation({
  id: 'simulated.assertions.list',
  method: 'GET',
  path: '/assertions',
  summary: 'Look whether each assertion holds, and what speaks against it',
  query: ofProject,
  response: Type.Object({ assertions: Type.Array(assertion) }),
  handle: async (controls, { query }) => ({ assertions: await controls.assertions.check(query) }),
})

const require = controlOperation({
  id: 'simulated.assertions.require',
  method: 'GET',
  path: '/assertions/{name}',
  summary: 'Refuse with a conflict, and what speaks against it, unless the assertion holds',
  query: ofProject,
  async handle(controls, { params, query }) {
    await controls.assertions.require(params.name as AssertionName, query)
    return undefined
  },
})

const fill = controlOperation({
  id: 'simulated.cloud.fill',
  method: 'POST',
  path: '/fill',
  summary: 'Fill the cloud with hosts, projects and servers',
  request: Type.Object(
    {
      hosts: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
      projects: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
      servers: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
    },
    { additionalProperties: false },
  ),
  response: Type.Object({
    hosts: Type.Array(Type.String()),
    projects: Type.Array(
      Type.Object({ id: Type.String(), name: Type.String(), user: Type.String(), servers: Type.Integer() }),
    ),
  }),
  handle: (controls, { body }) => controls.fill(body),
})

const snapshot = controlOperation({
  id: 'simulated.cloud.snapshot',
  method: 'GET',
  path: '/snapshot',
  summary: 'The whole cloud as one file',
  async handle(controls) {
    return reply(Buffer.from(await controls.snapshot()), { headers: { 'content-type': 'application/vnd.sqlite3' } })
  },
})

/** It is held in memory. */
const mostBytes = 1024 ** 3

const restore = controlOperation({
  id: 'simulated.cloud.restore',
  method: 'PUT',
  path: '/snapshot',
  summary: 'Make the cloud what it was when a snapshot was taken',
  raw: true,
  async handle(controls, { stream, headers }) {
    await controls.restore(await bytesOf(stream, Number(headers['content-length'] ?? 0)))
    return undefined
  },
})

/** `announced`: the length that the client says it has. */
async function bytesOf(stream: Readable, announced: number): Promise<Uint8Array> {
  const tooLarge = () => new PayloadTooLarge(`A snapshot has ${mostBytes} bytes at most.`)
  if (announced > mostBytes) throw tooLarge()
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > mostBytes) throw tooLarge()
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

const reset = controlOperation({
  id: 'simulated.cloud.reset',
  method: 'POST',
  path: '/reset',
  summary: 'Make the cloud what it was when it was ready',
  async handle(controls) {
    await controls.reset()
    return undefined
  },
})

export const wholeOperations = [checkAll, require, fill, snapshot, restore, reset]
