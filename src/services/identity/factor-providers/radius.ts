/** A factor whose codes a RADIUS server knows (RFC 2865, PAP): it is asked, and believed when its answer is signed with the shared secret. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Ctx } from '#kernel/context.ts'
import { Unavailable } from '#kernel/errors.ts'
import type { RadiusSettings } from './config.ts'
import type { Factor } from './factor-provider.ts'

const accessRequest = 1
const accessAccept = 2
const attributes = { userName: 1, userPassword: 2, nasIdentifier: 32, messageAuthenticator: 80 } as const
const longestPassword = 128
const tries = 3

const md5 = (...parts: Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest()

function attribute(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length + 2]), value])
}

/** Hides the password as RFC 2865, 5.2 has it. */
function hidden(password: Buffer, secret: Buffer, authenticator: Buffer): Buffer {
  const padded = Buffer.alloc(Math.max(16, Math.ceil(password.length / 16) * 16))
  password.copy(padded)
  let last = authenticator
  for (let at = 0; at < padded.length; at += 16) {
    const mask = md5(secret, last)
    for (let i = 0; i < 16; i++) padded[at + i]! ^= mask[i]!
    last = padded.subarray(at, at + 16)
  }
  return padded
}

/** A packet; the message authenticator comes first, and covers all of it. */
function packet(code: number, id: number, authenticator: Buffer, secret: Buffer, rest: readonly Buffer[]): Buffer {
  const blank = attribute(attributes.messageAuthenticator, Buffer.alloc(16))
  const body = Buffer.concat([blank, ...rest])
  const head = Buffer.alloc(4)
  head.writeUInt8(code, 0)
  head.writeUInt8(id, 1)
  head.writeUInt16BE(20 + body.length, 2)
  const whole = Buffer.concat([head, authenticator, body])
  createHmac('md5', secret).update(whole).digest().copy(whole, 22)
  return whole
}

/** Where in a packet the value of its message authenticator is; undefined when it has none, or is none. */
function authenticatorAt(answer: Buffer): number | undefined {
  for (let at = 20; at + 2 <= answer.length; at += answer[at + 1]!) {
    const length = answer[at + 1]!
    if (length < 2 || at + length > answer.length) return undefined
    if (answer[at] === attributes.messageAuthenticator && length === 18) return at + 2
  }
  return undefined
}

/** Whether the answer is to this request, of somebody who knows the secret: both signatures, since the older one can be forged. */
function isGenuine(answer: Buffer, id: number, asked: Buffer, secret: Buffer): boolean {
  if (answer.length < 20 || answer.readUInt16BE(2) !== answer.length || answer[1] !== id) return false
  const rest = answer.subarray(20)
  const signed = md5(answer.subarray(0, 4), asked, rest, secret)
  const at = authenticatorAt(answer)
  if (at === undefined || !timingSafeEqual(signed, answer.subarray(4, 20))) return false
  const blanked = Buffer.from(answer)
  asked.copy(blanked, 4)
  blanked.fill(0, at, at + 16)
  return timingSafeEqual(createHmac('md5', secret).update(blanked).digest(), answer.subarray(at, at + 16))
}

function placeOf(server: string): { host: string; port: number } {
  const [, host = server, port = '1812'] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(server) ?? []
  return isIPv6(server) ? { host: server, port: 1812 } : { host, port: Number(port) }
}

interface Question {
  request: Buffer
  isAnswer(answer: Buffer): boolean
}

/** Sends until something answers that `isAnswer` takes. Throws when nothing does. */
async function ask(ctx: Ctx, settings: RadiusSettings, { request, isAnswer }: Question): Promise<Buffer> {
  const { host, port } = placeOf(settings.server)
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const ended = new AbortController()
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      socket.on('error', reject)
      socket.on('message', answer => isAnswer(answer) && resolve(answer))
      const send = async () => {
        for (let i = 0; i < tries; i++) {
          socket.send(request, port, host)
          await ctx.clock.sleep(((settings.timeout_seconds ?? 3) * 1000) / tries, ended.signal)
        }
        throw new Error('no answer')
      }
      send().catch(reject)
    })
  } catch (cause) {
    throw new Unavailable('The server for one-time codes does not answer.', { cause })
  } finally {
    ended.abort()
    socket.close()
  }
}

export function radiusFactor(ctx: Ctx, settings: RadiusSettings): Factor {
  const secret = Buffer.from(settings.secret)
  const accepts = async (name: string, passcode: string) => {
    const [id, authenticator] = [ctx.ids.bytes(1)[0]!, ctx.ids.bytes(16)]
    const request = packet(accessRequest, id, authenticator, secret, [
      attribute(attributes.userName, Buffer.from(name)),
      attribute(attributes.userPassword, hidden(Buffer.from(passcode), secret, authenticator)),
      attribute(attributes.nasIdentifier, Buffer.from(settings.identifier ?? 'nephos')),
    ])
    const isAnswer = (answer: Buffer) => isGenuine(answer, id, authenticator, secret)
    return (await ask(ctx, settings, { request, isAnswer }))[0] === accessAccept
  }
  return {
    async isRight(user, passcode) {
      if (passcode === '' || Buffer.byteLength(passcode) > longestPassword) return false
      for (const name of user.addresses) {
        if (Buffer.byteLength(name) <= 253 && (await accepts(name, passcode))) return true
      }
      return false
    },
  }
}
