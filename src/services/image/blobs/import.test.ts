/** Imports: staged bytes, bytes of the web and of other images, tasks; what becomes of those that fail. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { systemClock } from '#kernel/clock.ts'
import { onEachEngine } from '../../../../test/engines.ts'
import { type ImageCloud, imageCloud, type ShownImage } from '../fixtures/image-cloud.ts'
import { at, bring, direct, idle, show, stage, type Task, tasksOf } from '../fixtures/imports.ts'
import { opened, web } from '../fixtures/web.ts'

onEachEngine('bytes are staged first and imported later', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  assert.equal((await bring(s, id, direct)).status, 409)
  assert.equal((await stage(s, id, 'staged')).status, 204)
  assert.equal((await show(s, id)).status, 'uploading')
  assert.equal((await s.call(s.mine, 'GET', `${at(id)}/file`)).status, 204, 'not to be read yet')
  assert.equal((await stage(s, id, 'again')).status, 409)
  const answer = await bring(s, id, direct)
  assert.equal(answer.status, 202)
  assert.equal((await show(s, id)).status, 'importing')
  await idle(s)
  const image = await show(s, id)
  assert.equal(image.status, 'active')
  assert.equal(image.checksum, createHash('md5').update('staged').digest('hex'))
  assert.equal(image.stores, 'file')
  assert.equal(image.os_glance_importing_to_stores, '')
  assert.equal(image.os_glance_failed_import, '')
  assert.equal(image.os_glance_import_task, undefined)
  const [task] = await tasksOf(s, id)
  assert.equal(task!.type, 'api_image_import')
  assert.equal(task!.status, 'success')
  assert.equal(task!.request_id, answer.headers['x-openstack-request-id'])
  assert.equal(task!.input.import_req.method.name, 'glance-direct')
  assert.deepEqual(task!.result, { image_id: id })
  assert.equal((await bring(s, id, direct)).status, 409)
  await s.call(s.mine, 'DELETE', at(id))
  while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
})

onEachEngine(
  'staged bytes that are not what they should be are gone, and the image is queued again',
  async database => {
    await using s = await imageCloud(database)
    const { id } = await s.make({ disk_format: 'qcow2' })
    await stage(s, id, 'no qcow2')
    assert.equal((await bring(s, id, direct)).status, 202)
    await idle(s)
    const image = await show(s, id)
    assert.equal(image.status, 'queued')
    assert.equal(image.size, null)
    assert.equal(image.os_glance_failed_import, 'file')
    assert.equal(image.os_glance_import_task, undefined)
    const [task] = await tasksOf(s, id)
    assert.equal(task!.status, 'failure')
    assert.match(task!.message, /disk_format is qcow2 but its content is raw/)
    while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)

    const unformatted = await s.call(s.mine, 'POST', '/v2/images', { body: { name: 'no formats' } })
    assert.equal((await stage(s, unformatted.body.id, 'x')).status, 204)
    const refused = await bring(s, unformatted.body.id, direct)
    assert.equal(refused.status, 409)
    assert.match(refused.body, /container_format.* needs to be set before import/)
  },
)

onEachEngine('formats that are changed once the bytes were looked at have to be true of them', async database => {
  let meanwhile = async () => {}
  await using s = await imageCloud(database, [], systemClock(), async ({ step, at: place }) => {
    if (step === 'fetch' && place === 'journaled') await meanwhile()
  })
  const changed = async (name: string, value: string) => {
    const { id } = await s.make()
    await stage(s, id, 'plain')
    meanwhile = async () => {
      const { status } = await s.patch(s.mine, id, [{ op: 'replace', path: `/${name}`, value }])
      assert.equal(status, 200)
    }
    assert.equal((await bring(s, id, direct)).status, 202)
    await idle(s)
    const { status, disk_format } = await show(s, id)
    return { status, disk_format, message: (await tasksOf(s, id))[0]!.message }
  }
  assert.deepEqual(await changed('disk_format', 'ari'), { status: 'active', disk_format: 'ari', message: '' })
  const untrue = await changed('disk_format', 'qcow2')
  assert.equal(untrue.status, 'queued')
  assert.match(untrue.message, /its disk_format is qcow2 but its content is raw/)
  const boxed = await changed('container_format', 'ovf')
  assert.equal(boxed.status, 'queued')
  assert.match(boxed.message, /container_format was changed/)
})

onEachEngine('an import request that makes no sense is refused', async database => {
  await using s = await imageCloud(database)
  const { id } = await s.make()
  const refused: [number, object | undefined, RegExp][] = [
    [400, {}, /requires a 'method' field/],
    [400, { method: {} }, /requires a 'name' field/],
    [400, { method: { name: 'by-pigeon' } }, /Unknown import method name 'by-pigeon'/],
    [400, { method: direct, all_stores: 'yes' }, /'all_stores' must be boolean/],
    [400, { method: direct, all_stores_must_succeed: 1 }, /'all_stores_must_succeed' must be boolean/],
    [400, { method: { name: 'web-download' } }, /does not pass filtering: None/],
    [400, { method: { name: 'glance-download' } }, /'glance_region' needs to be set/],
    [400, { method: { name: 'glance-download', glance_region: 'x' } }, /'glance_image_id' needs to be set/],
    [
      400,
      { method: { name: 'glance-download', glance_region: 'x', glance_image_id: 'foo' } },
      /image id does not look like a UUID/,
    ],
    [409, { method: { name: 'copy-image' } }, /Only images with status active/],
  ]
  for (const [status, body, words] of refused) {
    const answer = await s.call<string>(s.mine, 'POST', `${at(id)}/import`, { body })
    const who = answer.status === 403 ? await s.call<string>(s.admin, 'POST', `${at(id)}/import`, { body }) : answer
    assert.equal(who.status, status, JSON.stringify(body))
    assert.match(who.body.replaceAll('&#x27;', "'"), words)
  }
  await stage(s, id, 'x')
  assert.equal((await bring(s, id, direct, { stores: ['moon'] })).status, 409)
  assert.equal((await bring(s, id, direct, { stores: ['file'], all_stores: true })).status, 400)
  assert.equal((await bring(s, id, direct, {}, s.other)).status, 404)
})

onEachEngine('an address that only the cloud may reach is not downloaded from', async database => {
  await using secret = await web((_request, response) => response.end('secret'))
  await using s = await imageCloud(database, ['image.import_ports='])
  const { id } = await s.make()
  const inside = [
    secret.url,
    `http://localhost:${secret.port}`,
    'http://169.254.169.254/latest/meta-data',
    'http://10.0.0.1/disk',
    'http://[::1]/disk',
    'http://[::ffff:127.0.0.1]/disk',
    'http://2130706433/disk',
    'http://0/disk',
    'file:///etc/passwd',
    'ftp://example.org/disk',
    'http:///disk',
    'nonsense',
  ]
  for (const uri of inside) {
    const answer = await bring(s, id, { name: 'web-download', uri })
    await idle(s)
    const image = await show(s, id)
    assert.equal(image.status, 'queued', uri)
    // A name is looked up only when it is downloaded from.
    if (answer.status === 202) assert.equal(image.os_glance_failed_import, 'file', uri)
    else assert.equal(answer.status, 400, uri)
  }
  await using narrow = await imageCloud(database, ['image.import_hosts=images.example.org'])
  const { id: other } = await narrow.make()
  const only = await bring(narrow, other, { name: 'web-download', uri: 'http://example.org/disk' })
  assert.equal(only.status, 400)
  const port = await bring(narrow, other, { name: 'web-download', uri: 'http://images.example.org:22/disk' })
  assert.equal(port.status, 400)
})

onEachEngine('an image is downloaded from the web, through redirects to where one may go', async database => {
  const asked: string[] = []
  await using site = await web((request, response) => {
    asked.push(request.url!)
    if (request.url === '/disk') return void response.end('from the web')
    if (request.url === '/moved') return void response.writeHead(302, { location: '/disk' }).end()
    if (request.url === '/inside') return void response.writeHead(302, { location: 'http://127.0.0.2/' }).end()
    if (request.url === '/round') return void response.writeHead(302, { location: '/round' }).end()
    if (request.url === '/short') {
      response.writeHead(200, { 'content-length': '100' })
      response.write('only this')
      return void setImmediate(() => response.destroy())
    }
    response.writeHead(404).end('nothing here')
  })
  await using s = await imageCloud(database, ['image.import_networks=127.0.0.1/32', 'image.import_ports='])
  const attempt = async (path: string): Promise<[ShownImage, Task]> => {
    const { id } = await s.make()
    assert.equal((await bring(s, id, { name: 'web-download', uri: site.url + path })).status, 202)
    await idle(s)
    return [await show(s, id), (await tasksOf(s, id))[0]!]
  }
  for (const path of ['/disk', '/moved']) {
    const [image, task] = await attempt(path)
    assert.equal(image.status, 'active', task.message)
    assert.equal(image.size, 12)
    assert.equal(image.checksum, createHash('md5').update('from the web').digest('hex'))
    assert.equal(task.status, 'success')
  }
  const failing: [string, RegExp][] = [
    ['/inside', /does not pass filtering/],
    ['/round', /more than 5 redirects/],
    ['/short', /aborted|terminated|premature/i],
    ['/nothing', /answered 404/],
  ]
  const before = (await s.files()).length
  for (const [path, why] of failing) {
    const [image, task] = await attempt(path)
    assert.equal(image.status, 'queued', path)
    assert.equal(task.status, 'failure')
    assert.match(task.message, why)
  }
  while ((await s.files()).length > before) await s.cloud.env.clock.sleep(5)
  assert.equal(asked.filter(path => path === '/round').length, 6)
})

onEachEngine('a download that is too big is given up; a deleted image ends its import', async database => {
  let release = () => {}
  await using site = await web((request, response) => {
    if (request.url === '/big') return void response.end(Buffer.alloc(100_000))
    response.writeHead(200)
    response.write('a beginning')
    release = () => response.end()
  })
  await using s = await imageCloud(database, [...opened, 'image.max_size_bytes=50000'])
  const { id } = await s.make()
  await bring(s, id, { name: 'web-download', uri: `${site.url}/big` })
  await idle(s)
  assert.match((await tasksOf(s, id))[0]!.message, /too large/)

  const slow = await s.make()
  await bring(s, slow.id, { name: 'web-download', uri: `${site.url}/slow` })
  while ((await s.files()).length === 0) await s.cloud.env.clock.sleep(5)
  const second = await bring(s, slow.id, { name: 'web-download', uri: `${site.url}/slow` })
  assert.equal(second.status, 409)
  assert.equal((await s.call(s.mine, 'DELETE', at(slow.id))).status, 204)
  await idle(s)
  release()
  while ((await s.files()).length > 0) await s.cloud.env.clock.sleep(5)
  const { tasks } = (await s.call<{ tasks: Task[] }>(s.admin, 'GET', '/v2/tasks?status=failure')).body
  assert.equal(tasks.length, 2)
})

onEachEngine('an image is filled from another image service, with what it says of itself', async database => {
  await using s = await imageCloud(database)
  const source = await s.make({ os_distro: 'rhel', hw_cpu_cores: '5', speed: '88mph' })
  await s.fill(source.id, 'source bytes')
  const target = await s.make({ container_format: 'ovf', disk_format: 'iso', os_distro: 'windows' })
  const method = (glance_region: string, glance_image_id: string) => ({
    ...{ name: 'glance-download', glance_region, glance_image_id },
  })
  const region = 'RegionOne'
  await bring(s, target.id, method('elsewhere', source.id))
  await idle(s)
  const untouched = await show(s, target.id)
  assert.equal(untouched.status, 'queued')
  assert.equal(untouched.os_distro, 'windows')
  assert.match((await tasksOf(s, target.id))[0]!.message, /no image service is known in the region elsewhere/)
  await bring(s, target.id, method(region, '36d4b546-64a2-4bb9-bdd0-ba676aa48f2c'))
  await idle(s)
  assert.equal((await show(s, target.id)).status, 'queued')
  await bring(s, target.id, method(region, source.id))
  await idle(s)
  const filled = await show(s, target.id)
  assert.equal(filled.status, 'active')
  assert.deepEqual([filled.disk_format, filled.container_format], ['raw', 'bare'])
  assert.deepEqual([filled.os_distro, filled.hw_cpu_cores, filled.speed], ['rhel', '5', undefined])
  assert.equal((await s.call(s.mine, 'GET', `${at(target.id)}/file`)).body as unknown, 'source bytes')
})

onEachEngine('the image service of another region is told for which request it is asked (S-271)', async database => {
  const told: unknown[] = []
  const away = '36d4b546-64a2-4bb9-bdd0-ba676aa48f2c'
  const described = { status: 'active', disk_format: 'raw', container_format: 'bare' }
  await using site = await web((request, response) => {
    told.push([request.headers['x-openstack-request-id'], request.headers['x-nephos-client-tag']])
    response.end(request.url!.endsWith('/file') ? 'bytes' : JSON.stringify(described))
  })
  await using s = await imageCloud(database)
  const ask = <T>(method: string, path: string, body?: object) =>
    s.cloud.request<T>(method, `/identity/v3${path}`, { token: s.admin, ...(body && { body }) })
  const [service] = (await ask<{ services: { id: string }[] }>('GET', '/services?type=image')).body.services
  await ask('POST', '/regions', { region: { id: 'Two' } })
  const endpoint = { service_id: service!.id, region_id: 'Two', interface: 'public', url: site.url }
  assert.equal((await ask('POST', '/endpoints', { endpoint })).status, 201)
  const { id } = await s.make()
  const global = 'req-11111111-2222-4333-8444-555555555555'
  const answer = await s.call(s.mine, 'POST', `${at(id)}/import`, {
    body: { method: { name: 'glance-download', glance_region: 'Two', glance_image_id: away } },
    headers: { 'x-openstack-request-id': global, 'x-nephos-client-tag': 'copies' },
  })
  assert.equal(answer.status, 202)
  await idle(s)
  assert.equal((await show(s, id)).status, 'active')
  assert.deepEqual(told, [
    [global, 'copies'],
    [global, 'copies'],
  ])
})

onEachEngine('a task makes an image of what is at an address, for administrators', async database => {
  await using site = await web((request, response) =>
    request.url === '/disk' ? void response.end('bytes') : void response.writeHead(404).end(),
  )
  await using s = await imageCloud(database, opened)
  const input = (path: string) => ({
    import_from: site.url + path,
    import_from_format: 'raw',
    image_properties: { name: 'by task', disk_format: 'raw', container_format: 'bare' },
  })
  const begin = (who: ImageCloud['mine'] | string, body: unknown) => s.call<Task>(who, 'POST', '/v2/tasks', { body })
  assert.equal((await begin(s.mine, { type: 'import', input: input('/disk') })).status, 403)
  assert.equal((await begin(s.admin, { type: 'import' })).status, 400)
  assert.equal((await begin(s.admin, { type: 'export', input: {} })).status, 400)
  assert.equal(
    (await begin(s.admin, { type: 'import', input: { ...input(''), import_from: 'file:///x' } })).status,
    400,
  )
  const made = await begin(s.admin, { type: 'import', input: input('/disk') })
  assert.equal(made.status, 201)
  assert.equal(made.body.status, 'pending')
  await idle(s)
  const task = (await s.call<Task>(s.admin, 'GET', `/v2/tasks/${made.body.id}`)).body
  assert.equal(task.status, 'success', task.message)
  assert.equal((await s.call(s.admin, 'GET', at(task.result!.image_id))).body.status, 'active')

  const failing = await begin(s.admin, { type: 'import', input: input('/nothing') })
  await idle(s)
  assert.equal((await s.call<Task>(s.admin, 'GET', `/v2/tasks/${failing.body.id}`)).body.status, 'failure')
  const named = await s.call<{ images: unknown[] }>(s.admin, 'GET', '/v2/images?name=by task')
  assert.equal(named.body.images.length, 1, 'what could not be filled is gone')
  const page = (await s.call<{ tasks: Task[]; next: string }>(s.admin, 'GET', '/v2/tasks?limit=1')).body
  assert.deepEqual(
    page.tasks.map(t => t.id),
    [failing.body.id],
  )
  assert.equal('input' in page.tasks[0]!, false)
  const rest = (await s.call<{ tasks: Task[] }>(s.admin, 'GET', page.next)).body.tasks
  assert.deepEqual(
    rest.map(t => t.id),
    [made.body.id],
  )
  assert.equal((await s.call(s.admin, 'GET', '/v2/tasks?status=odd')).status, 400)
  assert.equal((await s.call(s.admin, 'DELETE', `/v2/tasks/${made.body.id}`)).status, 405)
})
