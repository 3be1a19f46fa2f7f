/** What a search finds: a way in which a request can be met. Of most nothing but the tree is looked at, so the rest is made when asked for. */
import type { Provider } from '../snapshot.ts'
import type { RequestGroup } from './search.ts'

export interface Found {
  readonly root: string
  readonly allocations: Record<string, Record<string, number>>
  /** The providers that meet each group. */
  readonly mappings: Record<string, string[]>
}

/** One way to meet one group: providers and what each gives. */
export type Way = { provider: Provider; resource_class: string | undefined; amount: number }[]

/** What one provider gives to one group. */
export class FoundAlone implements Found {
  readonly root: string
  readonly #provider: Provider
  readonly #group: RequestGroup
  constructor(provider: Provider, root: string, group: RequestGroup) {
    this.root = root
    this.#provider = provider
    this.#group = group
  }
  get allocations() {
    return { [this.#provider.uuid]: { ...this.#group.resources } }
  }
  get mappings() {
    return { [this.#group.suffix]: [this.#provider.uuid] }
  }
}

/** What is wanted of few is made when asked for. */
export class FoundWays implements Found {
  readonly root: string
  readonly #ways: Way[]
  readonly #groups: RequestGroup[]
  constructor(root: string, ways: Way[], groups: RequestGroup[]) {
    this.root = root
    this.#ways = ways
    this.#groups = groups
  }
  get allocations() {
    const allocations: Found['allocations'] = {}
    for (const { provider, resource_class, amount } of this.#ways.flat()) {
      if (resource_class === undefined) continue
      allocations[provider.uuid] ??= {}
      const resources = allocations[provider.uuid]!
      resources[resource_class] = (resources[resource_class] ?? 0) + amount
    }
    return allocations
  }
  get mappings() {
    const providers = (way: Way) => [...new Set(way.map(part => part.provider.uuid))]
    return Object.fromEntries(this.#ways.map((way, i) => [this.#groups[i]!.suffix, providers(way)]))
  }
}
