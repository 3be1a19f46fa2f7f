/** Racks, rows and power units: which there are, and what outside sources say of them as a whole. Not upstream's. */
import { NotFound } from '#kernel/errors.ts'
import { type Operation, operation } from '#kernel/operation.ts'
import { admin, adminOrService, rule } from '#kernel/policy/rule.ts'
import { Type } from '#kernel/schema/builders.ts'
import { saidSignals, signalName, signalValue } from '../host-signals/host-signal.ts'
import { putSignals } from '../host-signals/store.ts'
import { allPlaces, placeId } from './place.ts'
import { placeSignals } from './store.ts'

const signal = Type.Object({ value: signalValue, reported_at: Type.String() })
const placeSchema = Type.Object({
  id: Type.String(),
  level: Type.String(),
  name: Type.String(),
  hosts: Type.Array(Type.String()),
  signals: Type.Record(Type.String({ pattern: signalName }), signal),
})

const list = operation({
  id: 'compute.places.list',
  method: 'GET',
  path: '/v2.1/os-places',
  summary: 'List racks, rows and other places, with their hosts and what is said of them',
  policy: rule('os_compute_api:os-places:list', admin),
  response: Type.Object({ places: Type.Array(placeSchema) }),
  async handle(ctx) {
    const said = Map.groupBy(await placeSignals.list(ctx.db), row => placeId(row.level, row.place))
    const places = (await allPlaces(ctx)).map(place => {
      const rows = said.get(place.id) ?? []
      const signals = rows.map(({ name, value, reported_at }) => [name, { value, reported_at }] as const)
      return { ...place, signals: Object.fromEntries(signals) }
    })
    return { places }
  },
})

/** An event of the data centre, unlike a reading of a host: it counts until null takes it back. */
const put = operation({
  id: 'compute.places.put_signals',
  method: 'PUT',
  path: '/v2.1/os-places/{place_id}/signals',
  summary: 'Tell something of all hosts at a place',
  policy: rule('os_compute_api:os-places:put_signals', adminOrService),
  request: Type.Object({ signals: saidSignals }, { additionalProperties: false }),
  status: 204,
  async handle(ctx, { params: { place_id: id }, body: { signals } }) {
    const place = (await allPlaces(ctx)).find(one => one.id === id)
    if (!place) throw new NotFound(`No aggregate has place:${id} in its metadata.`)
    const at = { level: place.level, place: place.name }
    await ctx.transaction(tx => putSignals(tx, placeSignals, at, signals))
  },
})

export const placeOperations: Operation[] = [list, put]
