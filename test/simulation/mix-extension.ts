/** What clients do with an extension of the API that misbehaves. */
import type { Dice } from './dice.ts'
import { type Mood, moods, onCreate, onShow } from './extensions/moody.ts'
import { type Act, serverWish } from './mix-servers.ts'

/** How a hook of `create` is answered, from 500 on. */
const failures: Partial<Record<Mood, number>> = { throws: 500, 'asks too much': 500, 'is late': 503 }

/** Moods for a new server, and how the request is answered for them. */
export function moodOf(dice: Dice): { fields: object; answer: { failsWith?: number } } {
  const mood = dice.pick(moods)!
  const failsWith = failures[mood]
  return { fields: { [onCreate]: mood, [onShow]: dice.pick(moods)! }, answer: failsWith ? { failsWith } : {} }
}

const create: Act = (world, account) => {
  if (account.known.server.length > 12) return undefined
  const { fields, answer } = moodOf(world.dice)
  const body = { server: { ...serverWish(world, account), ...fields } }
  const headers = { 'openstack-api-version': 'compute latest' }
  return { method: 'POST', path: '/compute/v2.1/servers', body, headers, makes: 'server', ...answer }
}

const moody: Act = ({ dice }, { known }) => {
  const id = dice.pick(known.server)
  if (!id) return undefined
  const mood = dice.pick(moods)!
  return {
    ...{ method: 'PUT', path: `/compute/v2.1/os-x-moody/${id}`, body: { mood } },
    ...(mood === 'throws' && { failsWith: 500 }),
  }
}

export const extensionActs: Record<string, [number, Act]> = { moodyServer: [4, create], moody: [1, moody] }
