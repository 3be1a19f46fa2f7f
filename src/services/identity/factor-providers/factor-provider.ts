/** Factors that configuration adds: each is a method of its own at login, of users who have a credential of that type. */
import { pathToFileURL } from 'node:url'
import { type Ctx, perCloud } from '#kernel/context.ts'
import { identityConfig } from '../config.ts'
import { blobOf } from '../credentials/credential.ts'
import { credentials } from '../credentials/store.ts'
import type { UserRow } from '../users/store.ts'
import type { ModuleSettings } from './config.ts'
import { messageFactor } from './message.ts'
import { radiusFactor } from './radius.ts'

export interface FactorUser {
  id: string
  name: string
  domain_id: string
  /** The blobs of the user's credentials of the factor's type: numbers to call, names elsewhere. */
  addresses: string[]
}

/** What a module makes of its settings. */
export interface Factor {
  /** Sends a code to the user, where the factor does so. */
  begin?(user: FactorUser): Promise<void>
  isRight(user: FactorUser, passcode: string): Promise<boolean>
}

type Module = { factor?(settings: unknown): Factor | Promise<Factor> }

const loaded = perCloud(() => new Map<string, Promise<Factor>>())

async function ofModule(ctx: Ctx, name: string, { file, settings }: ModuleSettings): Promise<Factor> {
  const known = loaded(ctx)
  const found = known.get(name) ?? load(file, settings)
  known.set(name, found)
  return found
}

async function load(file: string, settings: unknown): Promise<Factor> {
  const { factor } = (await import(pathToFileURL(file).href)) as Module
  if (!factor) throw new Error(`${file} is no factor: export a function factor(settings) that returns { isRight }.`)
  return factor(settings)
}

/** The methods that configuration adds. */
export const providedMethods = (ctx: Ctx): string[] => Object.keys(ctx.config.of(identityConfig).factors)

/** The factor of that name; undefined when there is none. */
export async function factorOf(ctx: Ctx, name: string): Promise<Factor | undefined> {
  const { factors } = ctx.config.of(identityConfig)
  const settings = Object.hasOwn(factors, name) ? factors[name] : undefined
  if (settings?.type === 'message') return messageFactor(ctx, name, settings)
  if (settings?.type === 'radius') return radiusFactor(ctx, settings)
  return settings && ofModule(ctx, name, settings)
}

/** The user as a factor is told of it; undefined when it has nothing by which the factor could know it. */
export async function factorUser(ctx: Ctx, name: string, user: UserRow): Promise<FactorUser | undefined> {
  const rows = await credentials.list(ctx.db, { user_id: user.id, type: name })
  if (rows.length === 0) return undefined
  const addresses = await Promise.all(rows.map(row => blobOf(ctx, row)))
  return { id: user.id, name: user.name, domain_id: user.domain_id, addresses }
}
