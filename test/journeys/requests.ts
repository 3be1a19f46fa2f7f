/** A client that runs inside a stage's namespace: does requests, each on a connection of its own, and prints the answers as JSON lines. */
import { Agent, request } from 'node:http'

export interface Asked {
  method: string
  path: string
  token?: string
  body?: unknown
  headers?: Record<string, string>
  /** How often. */
  times?: number
}

export interface Answered {
  /** 0: the connection broke before an answer. */
  status: number
  body: string
}

/** What to do: a list of requests, and how many of them at once. */
export interface Errand {
  base: string
  asked: Asked[]
  atOnce?: number
}

function ask(base: string, { method, path, token, body, headers: more }: Asked): Promise<Answered> {
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
      answer.on('error', () => done({ status: 0, body: '' }))
      answer.on('end', () => done({ status: answer.statusCode!, body: Buffer.concat(chunks).toString() }))
    })
    sent.on('error', () => done({ status: 0, body: '' }))
    sent.setTimeout(30_000, () => sent.destroy(new Error('no answer')))
    sent.end(body === undefined ? undefined : JSON.stringify(body))
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
