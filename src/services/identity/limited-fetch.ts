/** fetch within limits, for addresses of the configuration: no redirects, ten seconds, a megabyte. */

const longest = 1024 * 1024
const patienceMs = 10_000
const bodiless = new Set([204, 205, 304])

async function bytesOf(answer: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of answer.body ?? []) {
    size += part.length
    if (size > longest) throw new Error(`The answer of ${new URL(answer.url).host} is longer than ${longest} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** `options` are those of fetch, as libraries have them in types of their own. */
export async function limitedFetch(url: string, options: object): Promise<Response> {
  const asked = options as RequestInit
  const patience = AbortSignal.timeout(patienceMs)
  const signal = asked.signal ? AbortSignal.any([asked.signal, patience]) : patience
  const answer = await fetch(url, { ...asked, redirect: 'manual', signal })
  const { status, headers } = answer
  const body = await bytesOf(answer)
  return new Response(bodiless.has(status) ? null : body, { status, headers })
}
