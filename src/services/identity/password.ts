/** Passwords: argon2id off the main thread, kept as PHC strings that carry their parameters. */
import { argon2, timingSafeEqual } from 'node:crypto'

export interface PasswordCost {
  /** KiB. */
  memory: number
  passes: number
}

interface Hash extends PasswordCost {
  parallelism: number
  salt: Buffer
  digest: Buffer
}

function derive(password: string, { memory, passes, parallelism, salt }: Omit<Hash, 'digest'>): Promise<Buffer> {
  const parameters = { message: password, nonce: salt, parallelism, tagLength: 32, memory, passes }
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')

function parse(text: string): Hash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text)
  if (!match) return undefined
  return {
    memory: Number(match[1]),
    passes: Number(match[2]),
    parallelism: Number(match[3]),
    salt: Buffer.from(match[4]!, 'base64'),
    digest: Buffer.from(match[5]!, 'base64'),
  }
}

/** The PHC string of a password; `salt` is 16 unpredictable bytes. */
export async function hashPassword(password: string, cost: PasswordCost, salt: Buffer): Promise<string> {
  const digest = await derive(password, { ...cost, parallelism: 1, salt })
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=1$${base64(salt)}$${base64(digest)}`
}

/** Whether the password is the one. Without a hash (no such user) it takes as long and says no. */
export async function checkPassword(password: string, hash: string | null, cost: PasswordCost): Promise<boolean> {
  const known = hash === null ? undefined : parse(hash)
  const digest = await derive(password, known ?? { ...cost, parallelism: 1, salt: Buffer.alloc(16) })
  return known !== undefined && timingSafeEqual(digest, known.digest)
}

/** Whether the hash was made with other parameters than today's. */
export function isOutdated(hash: string, cost: PasswordCost): boolean {
  const known = parse(hash)
  return known?.memory !== cost.memory || known.passes !== cost.passes
}
