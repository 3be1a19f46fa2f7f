/** Stories of those who follow the cloud: by pages, by a stream, by a feed, by webhooks. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { virtualClock } from '#kernel/clock.ts'
import { testCloud } from '../../../test/harness.ts'

interface Got {
  method: string
  url: URL
  headers: IncomingHttpHeaders
  body: string
}

/** A web server that keeps what it is sent, and answers as it is told. */
async function receiver(answer: (got: Got) => { status: number; text?: string } = () => ({ status: 204 })) {
  const got: Got[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    const url = new URL(request.url!, 'http://receiver')
    const one = { method: request.method!, url, headers: request.headers, body }
    const { status, text = '' } = answer(one)
    if (status < 300 && one.method === 'POST') got.push(one)
    response.writeHead(status).end(text)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    got,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function stage(set: string[] = ['events.webhook_networks=["127.0.0.0/8"]']) {
  const clock = virtualClock()
  const cloud = await testCloud({ clock, set })
  const token = await cloud.login('admin')
  const ctx = cloud.ctx()
  return {
    cloud,
    clock,
    token,
    tell: (n: number) => ctx.events.emit(ctx, 'story.one', 'thing', { n }),
    deliver: () => cloud.reconcile('event.deliveries'),
    request: <T = Record<string, never>>(method: string, path: string, body?: unknown, headers = {}) =>
      cloud.request<T>(method, `/event${path}`, { token, headers, ...(body !== undefined && { body }) }),
    webhooks: async () =>
      (
        await cloud.request<{ webhooks: { id: string; state: string; failures: number }[] }>(
          'GET',
          '/event/v1/webhooks',
          { token },
        )
      ).body.webhooks,
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
    },
  }
}

const numbers = (got: Got[]) => got.map(({ body }) => JSON.parse(body).payload.n)

test('a consumer that was away gets all that it missed, in order and once', async () => {
  await using s = await stage()
  type Page = { events: { payload: { n: number } }[]; next: string }
  const read = async (after: string) =>
    (await s.request<Page>('GET', `/v1/events?types=story.*&limit=4&after=${after}`)).body
  const { next: start } = await read('0.0')
  for (let n = 0; n < 10; n++) await s.tell(n)
  const seen: number[] = []
  for (let page = await read(start); page.events.length > 0; page = await read(page.next))
    seen.push(...page.events.map(event => event.payload.n))
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.equal((await s.request('GET', '/v1/events?after=x')).status, 400)
  const demo = await s.cloud.login('demo')
  assert.equal((await s.cloud.request('GET', '/event/v1/events', { token: demo })).status, 403)
})

test('a stream goes on where its reader stopped', async () => {
  await using s = await stage()
  await s.tell(0)
  const base = await s.cloud.listen('127.0.0.1', 0)
  const port = (s.cloud.http.server.address() as AddressInfo).port
  assert.ok(base)
  const open = (id?: string) =>
    fetch(`http://127.0.0.1:${port}/event/v1/events/stream?types=story.*`, {
      headers: {
        accept: 'text/event-stream',
        'x-auth-token': s.token,
        ...(id !== undefined && { 'last-event-id': id }),
      },
    })
  async function take(response: Response, count: number): Promise<{ id: string; n: number }[]> {
    const found: { id: string; n: number }[] = []
    let text = ''
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      const frames = text.split('\n\n')
      text = frames.pop()!
      for (const frame of frames) {
        const [, id, data] = /^id: (.*)\nevent: story\.one\ndata: (.*)$/.exec(frame) ?? []
        if (id !== undefined) found.push({ id, n: JSON.parse(data!).payload.n })
      }
      if (found.length >= count) break
    }
    return found
  }
  assert.equal((await s.request('GET', '/v1/events/stream')).status, 406)
  const first = await open()
  assert.equal(first.headers.get('content-type'), 'text/event-stream')
  await s.tell(1)
  await s.tell(2)
  const [one] = await take(first, 1)
  assert.equal(one!.n, 1, 'what was before is not told again')
  const rest = await take(await open(one!.id), 1)
  assert.deepEqual(
    rest.map(({ n }) => n),
    [2],
  )
})

test('a webhook gets each event signed, and what it did not take again', async () => {
  await using s = await stage()
  let ill = false
  await using hook = await receiver(() => ({ status: ill ? 503 : 204 }))
  await s.tell(0)
  const webhook = { url: hook.url, secret: 'a secret of the receiver', types: 'story.*' }
  const made = await s.request<{ webhook: Record<string, unknown> }>('POST', '/v1/webhooks', { webhook })
  assert.deepEqual([made.status, made.body.webhook.secret], [201, undefined])
  await s.tell(1)
  await s.deliver()
  ill = true
  await s.tell(2)
  await s.deliver()
  await s.deliver()
  assert.deepEqual([numbers(hook.got), (await s.webhooks())[0]!.failures], [[1], 1], 'not asked again at once')
  ill = false
  await s.tell(3)
  await s.clock.advance(10_000)
  await s.deliver()
  assert.deepEqual([numbers(hook.got), (await s.webhooks())[0]!.failures], [[1, 2, 3], 0])
  for (const { headers, body } of hook.got) {
    const signature = createHmac('sha256', webhook.secret).update(body).digest('hex')
    assert.equal(headers['x-hub-signature'], `sha256=${signature}`)
  }
})

test('a webhook that fails for too long rests, and resumes where it was', async () => {
  await using s = await stage(['events.webhook_networks=["127.0.0.0/8"]', 'events.webhook_patience_hours=1'])
  let ill = true
  await using hook = await receiver(() => ({ status: ill ? 500 : 200 }))
  await s.request('POST', '/v1/webhooks', { webhook: { url: hook.url, types: 'story.*' } })
  await s.tell(1)
  for (let hour = 0; hour < 3; hour++) {
    await s.deliver()
    await s.clock.advance(3_600_000)
  }
  const [rests] = await s.webhooks()
  assert.equal(rests!.state, 'resting')
  ill = false
  assert.equal((await s.request('POST', `/v1/webhooks/${rests!.id}/action`, { resume: null })).status, 202)
  await s.deliver()
  assert.deepEqual(numbers(hook.got), [1])
  assert.equal((await s.request('DELETE', `/v1/webhooks/${rests!.id}`)).status, 204)
  await s.tell(2)
  await s.deliver()
  assert.deepEqual(numbers(hook.got), [1])
})

test('webhooks do not lead into the cloud itself', async () => {
  await using s = await stage([])
  const status = async (url: string) => (await s.request('POST', '/v1/webhooks', { webhook: { url } })).status
  for (const url of [
    'http://127.0.0.1/',
    'http://[::1]/',
    'http://169.254.169.254/',
    'http://10.0.0.1/',
    'file:///etc/passwd',
    'x',
  ])
    assert.equal(await status(url), 400, url)
  // A name that leads there is found out when it is resolved.
  await using hook = await receiver()
  const port = new URL(hook.url).port
  assert.equal(await status(`http://localhost:${port}/`), 201)
  await s.tell(1)
  await s.deliver()
  assert.deepEqual([hook.got, (await s.webhooks())[0]!.failures], [[], 1])
})

test('a feed has an entry for each event, and its subscribers get the next one', async () => {
  await using s = await stage()
  for (let n = 0; n < 60; n++) await s.tell(n)
  const feed = await s.cloud.request<string>('GET', '/event/v1/feed?types=story.*', { token: s.token })
  assert.equal(feed.headers['content-type'], 'application/atom+xml')
  const ids = (text: string) => [...text.matchAll(/<id>(urn:uuid:[0-9a-f-]+)<\/id>/g)].map(found => found[1])
  const next = /<link rel="next" href="([^"]+)"\/>/.exec(feed.body)![1]!.replaceAll('&amp;', '&')
  const older = await s.cloud.request<string>('GET', next.replace('http://cloud.test', ''), { token: s.token })
  assert.equal(new Set([...ids(feed.body), ...ids(older.body)]).size, 60)

  const asked: string[] = []
  await using hook = await receiver(({ method, url }) => {
    if (method === 'POST') return { status: 200 }
    asked.push(url.searchParams.get('hub.mode')!)
    return { status: 200, text: url.searchParams.get('hub.challenge')! }
  })
  const topic = 'http://cloud.test/event/v1/feed?types=story.*'
  const hub = (mode: string) =>
    s.request(
      'POST',
      '/v1/hub',
      new URLSearchParams({
        'hub.mode': mode,
        'hub.topic': topic,
        'hub.callback': hook.url,
        'hub.secret': 's',
      }).toString(),
      {
        'content-type': 'application/x-www-form-urlencoded',
      },
    )
  assert.equal((await hub('subscribe')).status, 202)
  await s.deliver()
  await s.tell(60)
  await s.deliver()
  assert.deepEqual([asked, hook.got.length], [['subscribe'], 1])
  assert.match(hook.got[0]!.body, /<title>story\.one thing<\/title>/)
  assert.match(String(hook.got[0]!.headers.link), /rel="hub".*rel="self"/)
  assert.equal((await hub('unsubscribe')).status, 202)
  await s.deliver()
  assert.deepEqual([asked.at(-1), await s.webhooks()], ['unsubscribe', []])
})

test('a subscription that nobody meant is forgotten', async () => {
  await using s = await stage()
  await using hook = await receiver(() => ({ status: 404 }))
  const form = new URLSearchParams({
    'hub.mode': 'subscribe',
    'hub.topic': 'http://cloud.test/event/v1/feed',
    'hub.callback': hook.url,
  })
  const sent = await s.request('POST', '/v1/hub', form.toString(), {
    'content-type': 'application/x-www-form-urlencoded',
  })
  assert.equal(sent.status, 202)
  for (let attempt = 0; attempt < 3; attempt++) {
    await s.deliver()
    await s.clock.advance(60_000)
  }
  assert.deepEqual([await s.webhooks(), hook.got], [[], []])
})
