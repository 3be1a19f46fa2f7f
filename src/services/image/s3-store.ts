/** A bucket of an S3-compatible server as a store. Big blobs go there in parts, several at once; each is read from the file as it is sent. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { AwsV4Signer } from 'aws4fetch'
import type { Clock } from '#kernel/clock.ts'
import { type BlobStore, type Copier, type Put, type Range, StoreError } from './blob-store.ts'
import { ofOneServer, type S3Settings } from './s3-settings.ts'

const { Agent, request: plainRequest } = process.getBuiltinModule('node:http')

/** S3 takes no more parts, and none but the last that is smaller than this. */
const maxParts = 10_000
const smallestPart = 5 * 1024 * 1024
const partsAtOnce = 4
const attempts = 4
const silentMilliseconds = 60_000
const longestAnswer = 4 * 1024 * 1024

/** A server copies no more at once. */
const longestCopy = 5 * 1024 ** 3

/** What each store was made with: whether one can copy from another is theirs alone to know. */
const settingsOf = new WeakMap<BlobStore, S3Settings>()

interface Call {
  query?: Record<string, string>
  headers?: Record<string, string>
  /** A part of a file, or text. */
  body?: { file: string; range: Range } | string
  signal?: AbortSignal | undefined
}

/** Brings a part there; gives the server's name for it. */
type SendPart = (range: Range, call: Pick<Call, 'query' | 'signal'>) => Promise<string | undefined>

class S3Error extends StoreError {
  readonly status: number
  constructor(what: string, status: number, text: string) {
    const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1]
    super(`the S3 server answered ${what} with ${status}${code ? ` ${code}` : ''}`)
    this.status = status
  }
}

export function s3Store(clock: Clock, settings: S3Settings): BlobStore & AsyncDisposable {
  const { bucket, prefix } = settings
  const base = new URL(settings.endpoint)
  const secure = base.protocol === 'https:'
  const agent = new (secure ? SecureAgent : Agent)({ keepAlive: true })
  const pathOf = (key: string) => `${base.pathname.replace(/\/$/, '')}/${bucket}${key && `/${prefix}${key}`}`

  async function signed(method: string, url: URL, headers: Record<string, string>): Promise<Record<string, string>> {
    const datetime = new Date(clock.now()).toISOString().replaceAll(/[:-]|\.\d{3}/g, '')
    const { access_key: accessKeyId, secret_key: secretAccessKey, region } = settings
    const identity = { accessKeyId, secretAccessKey, region, service: 's3', datetime }
    const signer = new AwsV4Signer({ method, url: url.href, headers, ...identity })
    return Object.fromEntries((await signer.sign()).headers)
  }

  async function send(method: string, key: string, call: Call): Promise<IncomingMessage> {
    const url = new URL(pathOf(key), base)
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value)
    const headers = await signed(method, url, call.headers ?? {})
    const { body, signal } = call
    if (body !== undefined)
      headers['content-length'] = String(
        typeof body === 'string' ? Buffer.byteLength(body) : body.range.end - body.range.start + 1,
      )
    const sent = (secure ? secureRequest : plainRequest)(url, {
      ...{ method, headers, agent, timeout: silentMilliseconds },
      ...(signal && { signal }),
    })
    const answer = new Promise<IncomingMessage>((done, failed) => {
      sent.once('response', done)
      sent.once('error', failed)
      sent.once('timeout', () => sent.destroy(new Error('the S3 server was silent for too long')))
    })
    if (typeof body === 'object') await Promise.race([answer, pipeline(createReadStream(body.file, body.range), sent)])
    else sent.end(body)
    return answer
  }

  /** The answer, when it is a good one; what may go better the next time is tried again. */
  async function open(method: string, key: string, call: Call = {}): Promise<IncomingMessage> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await send(method, key, call)
        if (answer.statusCode! < 300) return answer
        throw new S3Error(method, answer.statusCode!, await textOf(answer))
      } catch (error) {
        const hopeless =
          error instanceof S3Error && (error.status < 500 || error.status === 501) && error.status !== 429
        if (hopeless || attempt === attempts || call.signal?.aborted) throw error
        await clock.sleep(50 * 4 ** attempt, call.signal)
      }
    }
  }

  const ask = async (method: string, key: string, call?: Call) => textOf(await open(method, key, call))

  async function putWhole(blob: string, file: string, size: number, options: Put): Promise<void> {
    const body = size === 0 ? '' : { file, range: { start: 0, end: size - 1 } }
    await ask('PUT', blob, { headers: kept(options), body, signal: options.signal })
  }

  function kept({ storage_class = settings.storage_class }: Put): Record<string, string> {
    return storage_class === '' ? {} : { 'x-amz-storage-class': storage_class }
  }

  async function inParts(blob: string, size: number, options: Put, part: SendPart): Promise<void> {
    const { signal } = options
    await giveUp(blob)
    const begun = await ask('POST', blob, { query: { uploads: '' }, headers: kept(options), signal })
    const uploadId = tagIn(begun, 'UploadId')
    if (!uploadId) throw new Error('the S3 server began no upload')
    try {
      const etags = await sendParts(size, uploadId, options, part)
      const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
      const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
      const ended = await ask('POST', blob, { query: { uploadId }, body, signal })
      // It may find that it failed after it has begun to answer.
      if (ended.includes('<Error>')) throw new S3Error('the end of an upload', 200, ended)
    } catch (error) {
      await ask('DELETE', blob, { query: { uploadId } }).catch(() => {})
      throw error
    }
  }

  async function sendParts(size: number, uploadId: string, { progressed, signal }: Put, part: SendPart) {
    const length = Math.max(settings.part_bytes, smallestPart, Math.ceil(size / maxParts))
    const etags: string[] = new Array(Math.ceil(size / length))
    let next = 0
    const failed = new AbortController()
    const either = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])])
    const sender = async () => {
      for (let i = next++; i < etags.length; i = next++) {
        const range = { start: i * length, end: Math.min(size, (i + 1) * length) - 1 }
        const query = { partNumber: String(i + 1), uploadId }
        const etag = await part(range, { query, signal: either })
        if (!/^"?[\w-]{1,128}"?$/.test(etag ?? '')) throw new Error('the S3 server named a part wrongly')
        etags[i] = etag!
        progressed?.()
      }
    }
    await Promise.all(
      Array.from({ length: partsAtOnce }, () =>
        sender().catch(error => {
          failed.abort(error)
          throw error
        }),
      ),
    )
    return etags
  }

  /** Sends a part of a file. */
  const fromFile =
    (blob: string, file: string): SendPart =>
    async (range, call) => {
      const answer = await open('PUT', blob, { ...call, body: { file, range } })
      answer.resume()
      return answer.headers.etag
    }

  /** Has the server take a part from another object. */
  const fromObject =
    (blob: string, source: string): SendPart =>
    async ({ start, end }, call) => {
      const headers = { 'x-amz-copy-source': source, 'x-amz-copy-source-range': `bytes=${start}-${end}` }
      return copied(await ask('PUT', blob, { ...call, headers }))
    }

  /** The name of what was copied. The server may find that it failed after it has begun to answer. */
  function copied(answer: string): string | undefined {
    if (answer.includes('<Error>')) throw new S3Error('a copy', 200, answer)
    return tagIn(answer, 'ETag')
  }

  function copier(other: BlobStore): Copier | undefined {
    const from = settingsOf.get(other)
    if (!from || !ofOneServer(from, settings)) return undefined
    return async (blob, size, options = {}) => {
      const source = encodeURI(`/${from.bucket}/${from.prefix}${blob}`)
      if (size > longestCopy) return inParts(blob, size, options, fromObject(blob, source))
      const headers = { ...kept(options), 'x-amz-copy-source': source }
      copied(await ask('PUT', blob, { headers, signal: options.signal }))
    }
  }

  /** Forgets the parts of uploads that never ended. */
  async function giveUp(blob: string): Promise<void> {
    const found = await ask('GET', '', { query: { uploads: '', prefix: prefix + blob } })
    for (const upload of tagsIn(found, 'Upload')) {
      const uploadId = tagIn(upload, 'UploadId')
      if (tagIn(upload, 'Key') === prefix + blob && uploadId) await ask('DELETE', blob, { query: { uploadId } })
    }
  }

  /** Names without the prefix. */
  const entry = (text: string, time: string, ending = '') => ({
    name: (tagIn(text, 'Key') ?? '').slice(prefix.length) + ending,
    modified: Date.parse(tagIn(text, time) ?? ''),
  })

  async function listAll(): Promise<ReturnType<typeof entry>[]> {
    const uploads = await ask('GET', '', { query: { uploads: '', prefix } })
    const found = tagsIn(uploads, 'Upload').map(text => entry(text, 'Initiated', '.part'))
    let token: string | undefined
    do {
      const query = { 'list-type': '2', prefix, ...(token !== undefined && { 'continuation-token': token }) }
      const page = await ask('GET', '', { query })
      found.push(...tagsIn(page, 'Contents').map(text => entry(text, 'LastModified')))
      token = tagIn(page, 'NextContinuationToken')
    } while (token !== undefined)
    return found
  }

  const store: BlobStore & AsyncDisposable = {
    async put(blob, file, options = {}) {
      const { size } = await stat(file)
      const isBig = size > Math.max(settings.part_bytes, smallestPart)
      await (isBig ? inParts(blob, size, options, fromFile(blob, file)) : putWhole(blob, file, size, options))
    },
    copier,
    open: (blob, range, signal) =>
      open('GET', blob, { ...(range && { headers: { range: `bytes=${range.start}-${range.end}` } }), signal }),
    async remove(name) {
      if (name.endsWith('.part')) return giveUp(name.slice(0, -'.part'.length))
      await ask('DELETE', name).catch(error => {
        if (!(error instanceof S3Error) || error.status !== 404) throw error
      })
    },
    list: listAll,
    async [Symbol.asyncDispose]() {
      agent.destroy()
    },
  }
  settingsOf.set(store, settings)
  return store
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of answer.setEncoding('utf8')) {
    text += piece
    if (text.length > longestAnswer) throw new Error('the S3 server says too much')
  }
  return text
}

/** What stands in elements of its answers; nothing that we ask for has an entity in it. */
const tagsIn = (text: string, tag: string): string[] =>
  [...text.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))].map(match => match[1]!)
const tagIn = (text: string, tag: string): string | undefined => tagsIn(text, tag)[0]?.replaceAll('&quot;', '"')
