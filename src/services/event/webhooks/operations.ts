/** Webhooks: list, show, create, resume, delete. */
import type { Ctx } from '#kernel/context.ts'
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation, reply } from '#kernel/operation.ts'
import { type Static, Type } from '#kernel/schema/builders.ts'
import { typesOf, typesText } from '../query.ts'
import { changeWebhooks, listWebhooks } from '../rules.ts'
import { addWebhook, deliveriesId } from './steps.ts'
import { webhooks } from './store.ts'
import type { WebhookRow } from './webhook.ts'

const nullable = Type.Union([Type.String(), Type.Null()])
const format = Type.Union([Type.Literal('versioned'), Type.Literal('unversioned'), Type.Literal('atom')])

const shape = Type.Object({
  id: Type.String(),
  url: Type.String(),
  types: Type.String(),
  format,
  state: Type.String(),
  failures: Type.Integer(),
  last_error: nullable,
  expires_at: nullable,
  created_at: Type.String(),
  user_id: Type.String(),
})

/** Secrets are not shown again. */
function view({ types, ...row }: WebhookRow): Static<typeof shape> {
  const { id, url, format, state, failures, last_error, expires_at, created_at, user_id } = row
  const shown = types.length === 0 ? '*' : types.join(',')
  return { id, url, types: shown, format, state, failures, last_error, expires_at, created_at, user_id }
}

async function load(ctx: Ctx, { params }: { params: { webhook_id: string } }): Promise<WebhookRow> {
  const row = await webhooks.find(ctx.db, { id: params.webhook_id })
  if (!row) throw new NotFound(`There is no webhook ${params.webhook_id}.`)
  return row
}

const collection = '/v1/webhooks'
const member = '/v1/webhooks/{webhook_id}'
const answer = Type.Object({ webhook: shape })

const list = operation({
  id: 'event.webhooks.list',
  method: 'GET',
  path: collection,
  summary: 'List webhooks',
  policy: listWebhooks,
  response: Type.Object({ webhooks: Type.Array(shape) }),
  async handle(ctx) {
    const orderBy = [{ column: 'created_at', direction: 'asc' } as const, { column: 'id', direction: 'asc' } as const]
    return { webhooks: (await webhooks.list(ctx.db, {}, { orderBy })).map(view) }
  },
})

const show = operation({
  id: 'event.webhooks.show',
  method: 'GET',
  path: member,
  summary: 'Show a webhook',
  policy: listWebhooks,
  load,
  response: answer,
  handle: async (_ctx, { target }) => ({ webhook: view(target) }),
})

const create = operation({
  id: 'event.webhooks.create',
  method: 'POST',
  path: collection,
  summary: 'Have events sent to an address as they come',
  policy: changeWebhooks,
  request: Type.Object(
    {
      webhook: Type.Object(
        {
          url: Type.String({ minLength: 1, maxLength: 2048 }),
          secret: Type.Optional(Type.String({ minLength: 16, maxLength: 200 })),
          types: Type.Optional(typesText),
          format: Type.Optional(format),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  response: answer,
  async handle(ctx, { body: { webhook } }) {
    const row = await addWebhook(ctx, {
      url: webhook.url,
      topic: '',
      secret: webhook.secret ?? null,
      types: typesOf(webhook.types),
      format: webhook.format ?? 'versioned',
      state: 'active',
      expires_at: null,
    })
    return reply({ webhook: view(row) }, { status: 201 })
  },
})

const resume = operation({
  id: 'event.webhooks.resume',
  method: 'POST',
  path: `${member}/action`,
  action: 'resume',
  summary: 'Send again what a webhook that rests has missed',
  policy: changeWebhooks,
  load,
  request: Type.Object({ resume: Type.Null() }, { additionalProperties: false }),
  async handle(ctx, { target }) {
    const fresh = { failures: 0, failing_since: null, next_attempt_at: new Date(ctx.clock.now()).toISOString() }
    await webhooks.update(ctx.db, { id: target.id, state: 'resting' }, { ...fresh, state: 'active' })
    ctx.signal(deliveriesId)
    return reply(undefined, { status: 202 })
  },
})

const remove = operation({
  id: 'event.webhooks.delete',
  method: 'DELETE',
  path: member,
  summary: 'Delete a webhook',
  policy: changeWebhooks,
  load,
  async handle(ctx, { target }) {
    await webhooks.remove(ctx.db, { id: target.id })
    return undefined
  },
})

export const webhookOperations: Operation[] = [list, show, create, resume, remove]
