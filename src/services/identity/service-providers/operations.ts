/** Service providers: the five operations. */
import { Type } from '#kernel/schema/builders.ts'
import { linkTo } from '../listing.ts'
import { ofOperators } from '../policy.ts'
import { resource } from '../resource.ts'
import { type ServiceProviderRow, serviceProviders } from './store.ts'

const nullableText = Type.Union([Type.String({ maxLength: 65_535 }), Type.Null()])
const url = Type.String({ maxLength: 225, pattern: '^[a-zA-Z0-9+.-]+:.+' })

export const serviceProviderResource = resource<ServiceProviderRow>({
  member: 'service_provider',
  collection: 'service_providers',
  extension: 'OS-FEDERATION',
  store: serviceProviders,
  chosenId: 'in path',
  strict: true,
  attributes: {
    auth_url: url,
    sp_url: url,
    description: nullableText,
    enabled: Type.Boolean(),
    relay_state_prefix: nullableText,
  },
  required: ['auth_url', 'sp_url'],
  filters: ['id'],
  policy: ofOperators,
  view: (ctx, { extra: _, ...row }) => ({ ...row, links: linkTo(ctx, `OS-FEDERATION/service_providers/${row.id}`) }),
  duplicate: values => `Duplicate entry found with ID ${values.id}`,
  async create(ctx, values) {
    const { relay_state_prefix, ...sent } = values
    const row: ServiceProviderRow = {
      enabled: false,
      description: null,
      ...(sent as Pick<ServiceProviderRow, 'id' | 'auth_url' | 'sp_url'>),
      relay_state_prefix: typeof relay_state_prefix === 'string' ? relay_state_prefix : 'ss:mem:',
      extra: {},
    }
    await serviceProviders.insert(ctx.db, row)
    return row
  },
  async update(_ctx, _row, { relay_state_prefix, ...patch }) {
    const prefix = relay_state_prefix === null ? 'ss:mem:' : relay_state_prefix
    return {
      ...(patch as Partial<ServiceProviderRow>),
      ...(prefix !== undefined && { relay_state_prefix: String(prefix) }),
    }
  },
  async remove() {},
})
