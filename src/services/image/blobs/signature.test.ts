/** Signed images: what was not signed by whom it says is refused, however it comes. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { constants, createSign } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#kernel/db/sqlite.ts'
import { type ImageCloud, imageCloud, upload } from '../fixtures/image-cloud.ts'

const skip = spawnSync('openssl', ['version']).error ? 'openssl is not installed' : false
const bytes = 'signed bytes'
const ids = { rsa: '11111111-1111-4111-8111-111111111111', ec: '22222222-2222-4222-8222-222222222222' }

/** A folder with certificates, and what signs with their keys. */
async function signers() {
  const folder = await mkdtemp(join(tmpdir(), 'nephos-image-certificates-'))
  for (const [kind, id] of Object.entries(ids)) {
    const key = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1']
    const files = ['-keyout', join(folder, `${id}.key`), '-out', join(folder, `${id}.pem`)]
    const about = ['-nodes', '-days', '2', '-subj', '/CN=test']
    execFileSync('openssl', ['req', '-x509', '-newkey', ...key, ...files, ...about], { stdio: 'ignore' })
  }
  return {
    folder,
    async sign(kind: 'rsa' | 'ec', hash: string) {
      const key = await readFile(join(folder, `${ids[kind]}.key`), 'utf8')
      const how = kind === 'rsa' ? { key, padding: constants.RSA_PKCS1_PSS_PADDING } : { key }
      return createSign(hash).update(bytes).sign(how).toString('base64')
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

const signed = (img_signature: string, kind: 'rsa' | 'ec', hash = 'SHA-256', more = {}) => ({
  img_signature,
  img_signature_hash_method: hash,
  img_signature_key_type: kind === 'rsa' ? 'RSA-PSS' : 'ECC_SECP384R1',
  img_signature_certificate_uuid: ids[kind],
  ...more,
})

async function put(s: ImageCloud, properties: Record<string, string>, what = bytes) {
  const { id } = await s.make(properties)
  return s.call<string>(s.mine, 'PUT', `/v2/images/${id}/file`, upload(what))
}

test('only the bytes that were signed are taken', { skip }, async () => {
  await using keys = await signers()
  await using database = openSqlite(':memory:')
  await using s = await imageCloud(database, [`image.certificates_directory=${keys.folder}`])
  const [rsa, ec] = [await keys.sign('rsa', 'sha256'), await keys.sign('ec', 'sha512')]
  assert.equal((await put(s, signed(rsa, 'rsa'))).status, 204)
  assert.equal((await put(s, signed(ec, 'ec', 'SHA-512'))).status, 204)
  assert.equal((await put(s, { img_signature: rsa })).status, 204, 'a part of a signature is none')
  const refused: [Record<string, string>, string, RegExp][] = [
    [signed(rsa, 'rsa'), 'other bytes', /does not match/],
    [signed(ec, 'rsa'), bytes, /does not match/],
    [signed(rsa, 'rsa', 'SHA-512'), bytes, /does not match/],
    [signed(rsa, 'rsa', 'MD5'), bytes, /hash method MD5 is not known/],
    [signed(rsa, 'rsa', 'SHA-256', { img_signature_certificate_uuid: ids.ec }), bytes, /no key of type RSA-PSS/],
    [signed(rsa, 'rsa', 'SHA-256', { img_signature_certificate_uuid: '../../etc/passwd' }), bytes, /by a UUID/],
    [signed(rsa, 'rsa', 'SHA-256', { img_signature_certificate_uuid: ids.ec.replace('2', '3') }), bytes, /no certif/],
  ]
  for (const [properties, what, why] of refused) {
    const answer = await put(s, properties, what)
    assert.equal(answer.status, 400)
    assert.match(answer.body, why)
  }
  const { id } = await s.make(signed(rsa, 'rsa'))
  await s.call(s.mine, 'PUT', `/v2/images/${id}/stage`, upload('other bytes'))
  await s.call(s.mine, 'POST', `/v2/images/${id}/import`, { body: { method: { name: 'glance-direct' } } })
  await s.cloud.env.sagas.idle()
  assert.equal((await s.call(s.mine, 'GET', `/v2/images/${id}`)).body.status, 'queued')
})
