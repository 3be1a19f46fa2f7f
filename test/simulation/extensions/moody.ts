/** An extension that misbehaves: how, the request for a server says, and it is kept with the server. */
import type { Extension, ExtensionContext } from '../../../src/services/compute/extensions/extension.ts'

export const moods = ['fine', 'throws', 'refuses', 'is late', 'asks too much', 'changes'] as const
export type Mood = (typeof moods)[number]

/** By field: what `POST /servers` sends. */
export const onCreate = 'x-moody:create'
export const onShow = 'x-moody:show'

const late = ({ signal }: ExtensionContext) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

const attribute = { schema: { enum: moods } }

export const extension: Extension = {
  alias: 'x-moody',
  name: 'Moods',
  description: 'Hooks that throw, refuse, are late or ask for what there is not.',
  updated: '2026-11-22T00:00:00Z',
  attributes: { [onCreate]: attribute, [onShow]: attribute },
  hooks: {
    create(ctx, { server }) {
      switch (server[onCreate]) {
        case 'throws':
          throw new Error('in a mood')
        case 'refuses':
          throw ctx.fault(403, 'Not in this mood.')
        case 'is late':
          return late(ctx)
        case 'asks too much':
          return { flavorRef: 42, moon: true }
        case 'changes':
          return { metadata: { ...(server.metadata as object), mood: 'changed' } }
        default:
          return undefined
      }
    },
    async show(ctx, servers) {
      const is = (mood: Mood) => servers.some(({ attributes }) => attributes[onShow] === mood)
      if (is('throws')) throw new Error('in a mood')
      if (is('is late')) return late(ctx)
      const said = is('changes') ? 'changes' : 'fine'
      return is('asks too much')
        ? { nobody: { [onShow]: 7 } }
        : Object.fromEntries(servers.map(({ id }) => [id, { [onShow]: said }]))
    },
  },
  operations: [
    {
      id: 'compute.x_moody.update',
      method: 'PUT',
      path: '/v2.1/os-x-moody/{server_id}',
      summary: 'Put a server in another mood',
      policy: { name: 'x-moody:write', check: 'rule:project_member_or_admin' },
      request: {
        type: 'object',
        properties: { mood: { enum: moods } },
        required: ['mood'],
        additionalProperties: false,
      },
      async handle(ctx, { server, body }) {
        await ctx.values.set(onShow, server!.id, body.mood)
        if (body.mood === 'throws') throw new Error('in a mood')
        return undefined
      },
    },
  ],
}
