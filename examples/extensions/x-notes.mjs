/**
 * Notes on servers: `openstack server create` and `POST /servers` take a label, which is shown with the server, and /os-x-notes lists, changes and takes
 * away the labels of a project.
 */

const label = { type: 'string', minLength: 1, maxLength: 64 }
const text = { type: 'string' }
const only = (properties, required = Object.keys(properties)) => ({
  ...{ type: 'object', properties, required },
  additionalProperties: false,
})
const note = only({ server_id: text, label })

const reads = { name: 'x-notes:read', check: 'rule:project_reader_or_admin', description: 'See the notes of servers.' }
const writes = { name: 'x-notes:write', check: 'rule:project_member_or_admin', description: 'Write notes on servers.' }

/** Labels that begin so are for administrators to give. */
function refuseReserved(ctx, value) {
  if (value?.startsWith('system-') && !ctx.caller.is_admin)
    throw ctx.fault(403, `The label ${value} is for administrators: those that begin with system- are.`)
}

async function noteOf(ctx, { id }) {
  const found = await ctx.values.of('x-notes:label', [id])
  if (!found.has(id)) throw ctx.fault(404, `Server ${id} has no note.`)
  return { note: { server_id: id, label: found.get(id) } }
}

/** @type {import('nephos/extension').Extension} */
export const extension = {
  alias: 'x-notes',
  name: 'Notes',
  description: 'A label on servers, and a resource of all labels of a project.',
  updated: '2026-11-22T00:00:00Z',

  attributes: { 'x-notes:label': { schema: label } },

  hooks: {
    async create(ctx, { server }) {
      refuseReserved(ctx, server['x-notes:label'])
    },
  },

  operations: [
    {
      id: 'compute.x_notes.list',
      method: 'GET',
      path: '/v2.1/os-x-notes',
      summary: 'List the notes of the project, in the order of the servers',
      policy: reads,
      query: only({ limit: { type: 'integer', minimum: 1 }, marker: text }, []),
      response: only({ notes: { type: 'array', items: note } }),
      async handle(ctx, { query }) {
        const found = await ctx.values.list('x-notes:label', query)
        return { notes: found.map(({ server_id, value }) => ({ server_id, label: value })) }
      },
    },
    {
      id: 'compute.x_notes.show',
      method: 'GET',
      path: '/v2.1/os-x-notes/{server_id}',
      summary: 'Show the note of a server',
      policy: reads,
      response: only({ note }),
      handle: (ctx, { server }) => noteOf(ctx, server),
    },
    {
      id: 'compute.x_notes.update',
      method: 'PUT',
      path: '/v2.1/os-x-notes/{server_id}',
      summary: 'Write the note of a server',
      policy: writes,
      request: only({ note: only({ label }) }),
      response: only({ note }),
      async handle(ctx, { server, body }) {
        refuseReserved(ctx, body.note.label)
        await ctx.values.set('x-notes:label', server.id, body.note.label)
        return noteOf(ctx, server)
      },
    },
    {
      id: 'compute.x_notes.delete',
      method: 'DELETE',
      path: '/v2.1/os-x-notes/{server_id}',
      summary: 'Take the note of a server away',
      policy: writes,
      status: 204,
      async handle(ctx, { server }) {
        await noteOf(ctx, server)
        await ctx.values.set('x-notes:label', server.id, null)
      },
    },
  ],
}
