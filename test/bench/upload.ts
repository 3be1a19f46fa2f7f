/** How much memory a big upload takes of the cloud, and how fast it is. */
import type { ChildProcess } from 'node:child_process'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { base, type Client, memoryOf } from './process.ts'

export interface Upload {
  /** MiB that the process had more than before, at the most. */
  growth: number
  /** MiB a second, until the image is active. */
  rate: number
}

const sampleEvery = 50

export async function uploadTimes(
  child: ChildProcess,
  demo: Client,
  token: string,
  mebibytes: number,
): Promise<Upload> {
  const body = { name: 'bench', disk_format: 'raw', container_format: 'bare' }
  const { id } = await demo.send<{ id: string }>('POST', '/image/v2/images', body, 201)
  const before = memoryOf(child.pid!)
  let most = before
  const sampling = setInterval(() => {
    most = Math.max(most, memoryOf(child.pid!))
  }, sampleEvery)
  const began = performance.now()
  await put(`${base}/image/v2/images/${id}/file`, token, mebibytes)
  const seconds = (performance.now() - began) / 1000
  clearInterval(sampling)
  await demo.send('DELETE', `/image/v2/images/${id}`, undefined, 204)
  return { growth: most - before, rate: mebibytes / seconds }
}

/** Sends so many MiB, none of which is kept here. */
async function put(url: string, token: string, mebibytes: number): Promise<void> {
  const piece = Buffer.alloc(1024 * 1024, 'nephos')
  function* pieces() {
    for (let i = 0; i < mebibytes; i++) yield piece
  }
  const headers = { 'x-auth-token': token, 'content-type': 'application/octet-stream' }
  const sent = request(url, { method: 'PUT', headers })
  const answered = new Promise<number>((done, failed) => {
    sent.once('response', response => {
      response.resume()
      done(response.statusCode!)
    })
    sent.once('error', failed)
  })
  await pipeline(Readable.from(pieces()), sent)
  const status = await answered
  if (status !== 204) throw new Error(`the upload was answered ${status}`)
}
