/** Stories of those who listen to what becomes of images: Glance's names, in the envelope of all events. */
import assert from 'node:assert/strict'
import type { Notification } from '#kernel/events/notification.ts'
import { onEachEngine } from '../../../test/engines.ts'
import { imageCloud, upload } from './fixtures/image-cloud.ts'

onEachEngine(
  'an image is told of from its registration to its end, and so are those it is shared with',
  async database => {
    await using s = await imageCloud(database)
    const heard: Notification[] = []
    s.cloud.env.bus.subscribe('notifications.*', told => void heard.push(told as Notification))
    const names = () => heard.splice(0).map(told => told.event_type)

    const { id } = await s.make({ name: 'disk', os_distro: 'debian', tags: ['blue'] })
    const [{ publisher_id, priority, payload }] = heard as [Notification]
    assert.deepEqual([publisher_id, priority], ['image.api', 'INFO'])
    const expected = { id, name: 'disk', status: 'queued', owner: s.mine.id, tags: ['blue'], deleted: false }
    for (const [member, value] of Object.entries({ ...expected, properties: { os_distro: 'debian' } }))
      assert.deepEqual(payload[member], value, member)
    await s.fill(id, 'bytes')
    assert.deepEqual(
      heard.map(told => [told.event_type, told.payload.status, told.payload.size]),
      [
        ['image.create', 'queued', null],
        ['image.prepare', 'saving', null],
        ['image.upload', 'active', 5],
        ['image.activate', 'active', 5],
      ],
    )
    names()

    await s.patch(s.mine, id, [{ op: 'replace', path: '/name', value: 'other' }])
    await s.call(s.mine, 'PUT', `/v2/images/${id}/tags/green`)
    await s.call(s.admin, 'POST', `/v2/images/${id}/actions/deactivate`)
    assert.deepEqual(
      heard.map(told => [told.event_type, told.payload.name, told.payload.tags, told.payload.status]),
      [
        ['image.update', 'other', ['blue'], 'active'],
        ['image.update', 'other', ['blue', 'green'], 'active'],
        ['image.update', 'other', ['blue', 'green'], 'deactivated'],
      ],
    )
    names()
    const members = `/v2/images/${id}/members`
    await s.call(s.mine, 'POST', members, { body: { member: s.other.id } })
    await s.call(s.other, 'PUT', `${members}/${s.other.id}`, { body: { status: 'accepted' } })
    await s.call(s.mine, 'DELETE', `${members}/${s.other.id}`)
    assert.deepEqual(names(), ['image.member.create', 'image.member.update', 'image.member.delete'])

    await s.call(s.mine, 'DELETE', `/v2/images/${id}`)
    const { status, deleted } = heard[0]!.payload
    assert.deepEqual([names(), status, deleted], [['image.delete'], 'deleted', true])
  },
)

onEachEngine('bytes that are not taken are an error that says why', async database => {
  await using s = await imageCloud(database, ['image.max_size_bytes=4'])
  const { id } = await s.make()
  const heard: Notification[] = []
  s.cloud.env.bus.subscribe('notifications.*', told => void heard.push(told as Notification))
  const refused = await s.call(s.mine, 'PUT', `/v2/images/${id}/file`, upload('too many'))
  assert.equal(refused.status, 413)
  assert.deepEqual(
    heard.map(told => [told.event_type, told.priority, told.payload.status]),
    [
      ['image.prepare', 'INFO', 'saving'],
      ['image.upload', 'ERROR', 'queued'],
    ],
  )
  assert.match(String(heard[1]!.payload.message), /too large: the limit is 4 bytes/)
})
