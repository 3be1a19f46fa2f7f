/** An S3-compatible server that others wrote (moto), for tests: it checks signatures, and has one user and one bucket. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { messageOf } from '../../src/kernel/errors.ts'
import { installSuite } from '../conformance/python.ts'

export interface S3Server extends AsyncDisposable {
  /** The settings of a store in it. */
  store: { type: 's3'; endpoint: string; bucket: string; access_key: string; secret_key: string }
}

/** Calls that need no rights, before there is anybody who has them. */
const preparations = 4
const nobody = 'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/SERVICE/aws4_request, SignedHeaders=host, Signature=x'

/** Or why there is none. */
export async function s3Server(): Promise<S3Server | { missing: string }> {
  const requirements = join(import.meta.dirname, 'requirements.txt')
  const wanted = { requirements, module: 'moto', debianPackages: ['python3-moto'] }
  let python: string
  try {
    python = (await installSuite(wanted, () => {})).python
  } catch (error) {
    return { missing: `moto cannot be installed: ${messageOf(error).slice(0, 300)}` }
  }
  const env = { ...process.env, INITIAL_NO_AUTH_ACTION_COUNT: String(preparations) }
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  })
  const exit = new Promise(done => child.once('exit', done))
  const endpoint = await new Promise<string>((done, failed) => {
    let text = ''
    child.stderr.on('data', chunk => {
      text += chunk
      const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(text)
      if (found) done(found[1]!)
    })
    child.once('exit', code => failed(new Error(`moto ended with ${code}: ${text}`)))
  })
  const bucket = 'images'
  return {
    store: { type: 's3', endpoint, bucket, ...(await prepare(endpoint, bucket)) },
    async [Symbol.asyncDispose]() {
      child.kill()
      await exit
    },
  }
}

async function prepare(endpoint: string, bucket: string) {
  const ask = async (service: string, path: string, method: string, body?: string) => {
    const headers = {
      authorization: nobody.replace('SERVICE', service),
      'content-type': 'application/x-www-form-urlencoded',
    }
    const answer = await fetch(endpoint + path, { method, headers, ...(body !== undefined && { body }) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`moto answered ${answer.status}: ${text}`)
    return text
  }
  const iam = (parameters: Record<string, string>) =>
    ask(
      'iam',
      '/',
      'POST',
      new URLSearchParams({ Version: '2010-05-08', UserName: 'images', ...parameters }).toString(),
    )
  await iam({ Action: 'CreateUser' })
  const key = await iam({ Action: 'CreateAccessKey' })
  const all = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }
  await iam({ Action: 'PutUserPolicy', PolicyName: 'all', PolicyDocument: JSON.stringify(all) })
  await ask('s3', `/${bucket}`, 'PUT')
  const read = (name: string) => new RegExp(`<${name}>(.+?)</${name}>`).exec(key)![1]!
  return { access_key: read('AccessKeyId'), secret_key: read('SecretAccessKey') }
}
