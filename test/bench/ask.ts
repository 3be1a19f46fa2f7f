/** One call on a connection that is kept. With `fetch` the client takes as long as a short call of the cloud, and the pauses of its garbage collection are longer. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { Readable } from 'node:stream'

const agent = new Agent({ keepAlive: true })

export interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: string | AsyncIterable<Buffer> | undefined
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

export function ask(url: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  return new Promise((done, fail) => {
    const sent = request(url, { agent, method, headers }, answer => {
      const parts: Buffer[] = []
      answer.on('data', part => parts.push(part))
      answer.once('error', fail)
      answer.once('end', () =>
        done({ status: answer.statusCode!, headers: answer.headers, text: Buffer.concat(parts).toString() }),
      )
    })
    sent.once('error', fail)
    if (body === undefined || typeof body === 'string') sent.end(body)
    else Readable.from(body).once('error', fail).pipe(sent)
  })
}
