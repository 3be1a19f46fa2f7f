import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { onEachEngine } from '../../../../test/engines.ts'
import { computeCloud } from '../fixtures/compute-cloud.ts'

// Made by ssh-keygen, and its fingerprint as `ssh-keygen -lE md5` prints it.
const ed25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfFgOycOodSACWJNAKXm84lPu8MdCDYZNRS7U4MELbN a comment'
const fingerprint = 'c0:00:53:da:d4:72:54:68:f8:7f:4a:28:c4:5b:a7:0f'

interface Keypair {
  name: string
  type?: string
  public_key: string
  private_key?: string
  fingerprint: string
  user_id?: string
}
type One = { keypair: Keypair }
type List = { keypairs: One[]; keypairs_links?: { href: string }[] }
type Refused = { badRequest: { message: string } }

onEachEngine('a user imports a key pair, and only that user sees it', async database => {
  await using cloud = await computeCloud({ database })
  const made = await cloud.call<One>('alice', 'POST', '/os-keypairs', {
    keypair: { name: 'k@home', public_key: ed25519 },
  })
  assert.equal(made.status, 201)
  assert.equal(made.body.keypair.fingerprint, fingerprint)
  assert.deepEqual([made.body.keypair.public_key, made.body.keypair.user_id], [ed25519, 'alice'])
  const again = await cloud.call<{ conflictingRequest: { message: string } }>('alice', 'POST', '/os-keypairs', {
    keypair: { name: 'k@home', public_key: ed25519 },
  })
  assert.equal(again.body.conflictingRequest.message, "Key pair 'k@home' already exists.")
  const shown = await cloud.call<One>('alice', 'GET', '/os-keypairs/k@home')
  assert.deepEqual(Object.keys(shown.body.keypair).sort(), [
    'created_at',
    'deleted',
    'deleted_at',
    'fingerprint',
    'id',
    'name',
    'public_key',
    'type',
    'updated_at',
    'user_id',
  ])
  const other = await cloud.call<{ itemNotFound: { message: string } }>('bob', 'GET', '/os-keypairs/k@home')
  assert.equal(other.body.itemNotFound.message, 'Keypair k@home not found for user bob')
  assert.equal((await cloud.call('bob', 'GET', '/os-keypairs?user_id=alice')).status, 403)
  assert.equal((await cloud.call<List>('admin', 'GET', '/os-keypairs?user_id=alice')).body.keypairs.length, 1)
  assert.equal((await cloud.call('alice', 'DELETE', '/os-keypairs/k@home')).status, 204)
  assert.equal((await cloud.call('alice', 'DELETE', '/os-keypairs/k@home')).status, 404)
})

test('until 2.92 a key pair can be made here, and its halves belong together', async () => {
  await using cloud = await computeCloud()
  const { body } = await cloud.call<One>('alice', 'POST', '/os-keypairs', { keypair: { name: 'made' } }, '2.1')
  const { private_key, public_key } = body.keypair
  const parts = Buffer.from(public_key.split(' ')[1]!, 'base64')
  const modulus = createPublicKey(createPrivateKey(private_key!)).export({ format: 'jwk' }).n!
  assert.ok(parts.includes(Buffer.from(modulus, 'base64url')))
  assert.match(public_key, /^ssh-rsa \S+ Generated-by-Nova$/)
  assert.ok(!('type' in body.keypair))
  const shown = await cloud.call<One>('alice', 'GET', '/os-keypairs/made')
  assert.equal(shown.body.keypair.private_key, undefined)
  assert.equal(shown.body.keypair.fingerprint, body.keypair.fingerprint)
  assert.equal((await cloud.call('alice', 'POST', '/os-keypairs', { keypair: { name: 'x' } })).status, 400)
})

test('what is no key is refused', async () => {
  await using cloud = await computeCloud()
  const [, blob] = ed25519.split(' ')
  for (const public_key of [
    'ssh-rsa',
    'nonsense',
    `ssh-rsa ${blob}`,
    `ssh-ed25519 ${blob!.slice(0, 40)}`,
    `${ed25519}\nssh-ed25519 ${blob} second`,
    '',
  ]) {
    const { status, body } = await cloud.call<Refused>('alice', 'POST', '/os-keypairs', {
      keypair: { name: 'k', public_key },
    })
    assert.deepEqual(
      [status, body.badRequest.message],
      [400, 'Keypair data is invalid: failed to generate fingerprint'],
      public_key,
    )
  }
  const x509 = { name: 'k', type: 'x509', public_key: 'nonsense' }
  assert.match(
    (await cloud.call<Refused>('alice', 'POST', '/os-keypairs', { keypair: x509 })).body.badRequest.message,
    /^Keypair data is invalid: failed to generate X509 fingerprint/,
  )
  for (const name of ['', ' k', 'a/b', 'a'.repeat(256)])
    assert.equal(
      (await cloud.call('alice', 'POST', '/os-keypairs', { keypair: { name, public_key: ed25519 } })).status,
      400,
    )
})

test('RSA and ECDSA keys are taken too', async () => {
  await using cloud = await computeCloud()
  const string = (bytes: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  const blob = ['ecdsa-sha2-nistp256', 'nistp256'].map(word => string(Buffer.from(word)))
  const public_key = `ecdsa-sha2-nistp256 ${Buffer.concat([...blob, string(point)]).toString('base64')}`
  assert.equal((await cloud.call('alice', 'POST', '/os-keypairs', { keypair: { name: 'ec', public_key } })).status, 201)
})

test('a list has pages from 2.35 on, and a user has at most so many', async () => {
  await using cloud = await computeCloud({ set: ['compute.quota.key_pairs=3'] })
  for (const name of ['c', 'a', 'b'])
    await cloud.call('alice', 'POST', '/os-keypairs', { keypair: { name, public_key: ed25519 } })
  const over = await cloud.call<{ forbidden: { message: string } }>('alice', 'POST', '/os-keypairs', {
    keypair: { name: 'd', public_key: ed25519 },
  })
  assert.deepEqual([over.status, over.body.forbidden.message], [403, 'Quota exceeded, too many key pairs.'])
  const names = (answer: { body: List }) => answer.body.keypairs.map(({ keypair }) => keypair.name)
  const first = await cloud.call<List>('alice', 'GET', '/os-keypairs?limit=2')
  assert.deepEqual(names(first), ['a', 'b'])
  const next = new URL(first.body.keypairs_links![0]!.href)
  assert.deepEqual(names(await cloud.call<List>('alice', 'GET', `/os-keypairs${next.search}`)), ['c'])
  assert.deepEqual(names(await cloud.call<List>('alice', 'GET', '/os-keypairs?limit=2', undefined, '2.34')), [
    'a',
    'b',
    'c',
  ])
  assert.equal((await cloud.call('alice', 'GET', '/os-keypairs?marker=zz')).status, 400)
})

test('a certificate is made with its key, for logging in to Windows guests', async () => {
  await using cloud = await computeCloud()
  const body = { keypair: { name: 'win', type: 'x509' } }
  const made = await cloud.call<{ keypair: Record<string, string> }>('alice', 'POST', '/os-keypairs', body, '2.91')
  const { public_key = '', private_key = '', fingerprint, type } = made.body.keypair
  const certificate = new X509Certificate(public_key)
  assert.deepEqual([made.status, type, certificate.subject], [201, 'x509', 'CN=alice'])
  assert.equal(fingerprint, certificate.fingerprint.toLowerCase())
  assert.ok(certificate.verify(certificate.publicKey))
  assert.equal(certificate.subjectAltName, 'othername:UPN:alice@localhost')
  // The TLS stack reads PKCS#12, checks its integrity, and refuses a key that is not the certificate's.
  const context = createSecureContext({ pfx: Buffer.from(private_key, 'base64'), passphrase: '' })
  assert.ok(context.context)
})
