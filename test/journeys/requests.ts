/** A client that runs inside a stage's namespace: does requests, each on a connection of its own, and prints the answers as JSON lines. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface Asked {
  method: string
  path: string
  token?: string
  /** A text goes as it is, anything else as JSON. */
  body?: unknown
  /** In place of a body: bytes, in base64. */
  bytes?: string
  headers?: Record<string, string>
  /** How often. */
  times?: number
}

export interface Answered {
  /** 0: the connection broke before an answer. */
  status: number
  body: string
  headers: IncomingHttpHeaders
}

/** What to do: a list of requests, and how many of them at once. */
export interface Errand {
  base: string
  asked: Asked[]
  atOnce?: number
}

const broken: Answered = { status: 0, body: '', headers: {} }

/** Asks once. A connection on which nothing comes for half a minute is given up, with `late` called before. */
export function ask(base: string, asked: Asked, late: () => void = () => {}): Promise<Answered> {
  const { method, path, token, body, bytes, headers: more } = asked
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise(done => {
    const headers = {
      'content-type': 'application/json',
      'openstack-api-version': 'compute 2.90',
      ...(token && { 'x-auth-token': token }),
      ...more,
    }
    const sent = request(new URL(path, base), { method, headers, agent: new Agent() }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('error', () => done(broken))
      answer.on('end', () =>
        done({ status: answer.statusCode!, body: Buffer.concat(chunks).toString(), headers: answer.headers }),
      )
    })
    sent.on('error', () => done(broken))
    sent.setTimeout(30_000, () => {
      late()
      sent.destroy(new Error('no answer'))
    })
    sent.end(bytes === undefined ? text : Buffer.from(bytes, 'base64'))
  })
}

async function main(): Promise<void> {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  const { base, asked, atOnce = 1 } = JSON.parse(text) as Errand
  const waiting = asked.flatMap(one => Array.from({ length: one.times ?? 1 }, () => one))
  let next = 0
  const work = async () => {
    while (next < waiting.length) {
      const answered = await ask(base, waiting[next++]!)
      process.stdout.write(`${JSON.stringify(answered)}\n`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

if (process.argv[1] === import.meta.filename) await main()
