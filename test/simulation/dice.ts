/** Every choice of a run comes from one seed. */
import { seededIds } from '../../src/kernel/ids.ts'

export interface Dice {
  /** True once in `1 / probability` times. */
  chance(probability: number): boolean
  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** One of a list; undefined of an empty one. */
  pick<T>(list: readonly T[]): T | undefined
  /** One of the keys; more often those of larger weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K
}

export function diceOf(seed: number): Dice {
  const { random } = seededIds(`dice ${seed}`)
  return {
    chance: probability => random() < probability,
    between: (low, high) => low + Math.floor(random() * (high - low + 1)),
    pick: list => list[Math.floor(random() * list.length)],
    weighted(weights) {
      const entries = Object.entries<number>(weights) as [keyof typeof weights, number][]
      let left = random() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) {
        left -= weight
        if (left < 0) return key
      }
      return entries[0]![0]
    },
  }
}
