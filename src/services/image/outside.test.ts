/** Addresses that users name: where they may lead, and that nothing leads elsewhere (OSSA-2026-004). */
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { mock, test } from 'node:test'
import type { Env } from '#kernel/context.ts'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { imageCloud, listening } from './fixtures/image-cloud.ts'
import { opened, web } from './fixtures/web.ts'
import { allowedAddress, NotAllowed, openUrl } from './outside.ts'

/** Names are at these addresses: those of the first look-up, of the second, and so on. */
function names(...answers: string[][]) {
  let asked = 0
  const lookup = mock.method(dns, 'lookup', ((_name: string, _options: object, done: Done) => {
    const found = answers[Math.min(asked++, answers.length - 1)]!
    done(
      null,
      found.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }) as never)
  syncBuiltinESMExports()
  return {
    asked: () => asked,
    [Symbol.dispose]() {
      lookup.mock.restore()
      syncBuiltinESMExports()
    },
  }
}
type Done = (error: null, found: { address: string; family: number }[]) => void

/** A web server that redirects `/302/word` to what `leads` says of the word, and one beside it that nobody may reach. */
async function webAndTrap(leads: (word: string, trap: string) => string | undefined) {
  let sprung = 0
  const site = await web((request, response) => {
    const [, status, word = ''] = request.url!.split('/')
    const location = leads(word, trap.url)
    if (location === undefined) return void response.end('from the site')
    response.writeHead(Number(status), { location }).end()
  })
  const trap = await web((_request, response) => void response.end(`sprung ${++sprung}`), {
    address: '127.0.0.2',
    at: site.port,
  })
  return {
    site,
    sprung: () => sprung,
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]()
      await trap[Symbol.asyncDispose]()
    },
  }
}

const refused = (error: unknown) => error instanceof NotAllowed

async function read(env: Env, url: string): Promise<string> {
  const { body } = await openUrl(env, url)
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

async function cloudWith(set: string[]) {
  return imageCloud(openSqlite(':memory:'), set)
}

test('only addresses of the Internet are read from, in whatever dress others come', async () => {
  await using s = await cloudWith(['image.import_ports='])
  const { env } = s.cloud
  const inside = [
    ...['127.0.0.1', '127.8.8.8', '0.0.0.0', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
    ...['224.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '240.0.0.1'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::127.0.0.1', 'fe80::1', 'fec0::1', 'fc00::1', 'fd00::1'],
    ...['64:ff9b::7f00:1', '64:ff9b:1::7f00:1', '2002:7f00:1::', '2001:db8::1', 'ff02::1', '100::1'],
  ]
  for (const address of inside) assert.equal(allowedAddress(env, address), false, address)
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700::1111'])
    assert.ok(allowedAddress(env, address), address)
  const urls = [
    ...[
      'http://127.1/',
      'http://0177.1/',
      'http://0x7f.0.0.1/',
      'http://2130706433/',
      'http://0/',
      'http://127.0.0.1./',
    ],
    ...['http://①②⑦.0.0.1/', 'http://user:word@127.0.0.1/', 'http://[::ffff:7f00:1]/', 'http://[::]/'],
    ...['file:///etc/passwd', 'ftp://1.1.1.1/', 'gopher://1.1.1.1/', 'data:,x', '//1.1.1.1/', 'http://', ''],
  ]
  for (const url of urls) {
    await assert.rejects(openUrl(env, url), refused, url)
    const { id } = await s.make()
    const body = { method: { name: 'web-download', uri: url } }
    assert.equal((await s.call(s.mine, 'POST', `/v2/images/${id}/import`, { body })).status, 400, url)
  }
})

test('a name at an address of the cloud is not read from, nor one that is there as well', async () => {
  await using s = await cloudWith(['image.import_ports='])
  for (const found of [['127.0.0.1'], ['10.1.2.3'], ['169.254.169.254'], ['::1'], ['::ffff:127.0.0.1'], ['fd00::1']]) {
    using _ = names(found)
    await assert.rejects(openUrl(s.cloud.env, 'http://images.test/'), refused, found[0])
    using __ = names(['1.1.1.1', ...found])
    await assert.rejects(openUrl(s.cloud.env, 'http://images.test/'), refused, `${found[0]} as well`)
  }
})

test('a name that is elsewhere the second time is connected to where it was checked', async () => {
  await using s = await cloudWith(['image.import_networks=["127.0.0.1/32"]', 'image.import_ports='])
  await using both = await webAndTrap(word => (word === 'moved' ? '/302/there' : undefined))
  const at = (path: string) => `http://images.test:${both.site.port}${path}`
  {
    using looked = names(['127.0.0.1'], ['127.0.0.2'])
    assert.equal(await read(s.cloud.env, at('/200/disk')), 'from the site')
    assert.equal(looked.asked(), 1)
  }
  {
    using looked = names(['127.0.0.1'], ['127.0.0.2'])
    await assert.rejects(read(s.cloud.env, at('/302/moved')), refused)
    assert.equal(looked.asked(), 2, 'a redirect is looked up again, and checked again')
  }
  assert.equal(both.sprung(), 0)
})

test('a redirect leads nowhere that the first address might not', async () => {
  await using s = await cloudWith(['image.import_networks=["127.0.0.1/32"]', 'image.import_ports='])
  const leads: Record<string, (trap: string) => string> = {
    plain: trap => trap,
    slashes: trap => trap.replace('http:', ''),
    secure: trap => trap.replace('http:', 'https:'),
    octal: trap => trap.replace('127.0.0.2', '0177.0.0.2'),
    mapped: trap => trap.replace('127.0.0.2', '[::ffff:127.0.0.2]'),
    file: () => 'file:///etc/passwd',
    gopher: trap => trap.replace('http:', 'gopher:'),
  }
  await using both = await webAndTrap((word, trap) => leads[word]?.(trap))
  for (const status of [301, 302, 303, 307, 308])
    for (const lead of Object.keys(leads)) {
      const url = `${both.site.url}/${status}/${lead}`
      await assert.rejects(read(s.cloud.env, url), refused, url)
    }
  assert.equal(both.sprung(), 0)
})

test('a web server cannot put an answer of its own behind the bytes of an image', async () => {
  const smuggled = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'
  let body = 'hello'
  await using site = await web((_request, response) => void response.end(body))
  await using s = await cloudWith([...opened, 'image.stores={"web":{"type":"http"}}', 'image.cache_bytes=0'])
  const { id } = await s.make()
  const given = await s.call(s.mine, 'POST', `/v2/images/${id}/locations`, { body: { url: `${site.url}/disk` } })
  assert.equal(given.status, 202)
  await s.cloud.env.sagas.idle()
  const address = await listening(s)
  const download = async () => {
    const headers = { 'x-auth-token': s.mine.token }
    const answer = await fetch(`${address}/image/v2/images/${id}/file`, { headers })
    assert.equal(answer.status, 200)
    return answer.text()
  }
  assert.equal(await download(), 'hello')
  body += smuggled
  await assert.rejects(download())
  body = 'hell'
  await assert.rejects(download())
})
