/** What a search finds: a way in which a request can be met. Of most nothing but the tree is looked at, so the rest is made when asked for. */
import type { Candidate } from '../contract.ts'
import type { Provider } from '../snapshot.ts'
import type { RequestGroup } from './search.ts'

export interface Found extends Candidate {
  /** The providers that meet each group. */
  readonly mappings: Record<string, string[]>
}

/** One way to meet one group: providers and what each gives. */
export type Way = { provider: Provider; resource_class: string | undefined; amount: number }[]

class OfTree {
  readonly #top: Provider
  constructor(top: Provider) {
    this.#top = top
  }
  get root() {
    return this.#top.uuid
  }
  get generation() {
    return this.#top.generation
  }
  get used() {
    return this.#top.used
  }
}

/** What a tree's only provider gives to one group. */
export class FoundAlone extends OfTree implements Found {
  readonly #group: RequestGroup
  constructor(provider: Provider, group: RequestGroup) {
    super(provider)
    this.#group = group
  }
  get allocations() {
    return { [this.root]: { ...this.#group.resources } }
  }
  get mappings() {
    return { [this.#group.suffix]: [this.root] }
  }
}

export class FoundWays extends OfTree implements Found {
  readonly #ways: Way[]
  readonly #groups: RequestGroup[]
  constructor(top: Provider, ways: Way[], groups: RequestGroup[]) {
    super(top)
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
