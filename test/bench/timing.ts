/** Times of many calls. */

/** In milliseconds. */
export interface Times {
  p50: number
  p99: number
  /** Least and greatest median of the rounds in which they were taken. */
  spread: [number, number]
}

const rounds = 5

/** Of times in the order in which they were taken. */
export function timesOf(times: readonly number[]): Times {
  const size = Math.ceil(times.length / rounds)
  const medians = Array.from({ length: rounds }, (_, i) => times.slice(i * size, (i + 1) * size))
    .filter(round => round.length > 0)
    .map(round => quantile(round, 0.5))
  return {
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    spread: [Math.min(...medians), Math.max(...medians)],
  }
}

function quantile(times: readonly number[], q: number): number {
  return times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * q))]!
}

export interface Timed extends Times {
  perSecond: number
}

/** `count` calls made by `clients` at once. */
export async function timed(count: number, clients: number, call: (i: number) => Promise<unknown>): Promise<Timed> {
  const times: number[] = []
  let next = 0
  const began = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let i = next++; i < count; i = next++) {
        const start = performance.now()
        await call(i)
        times.push(performance.now() - start)
      }
    }),
  )
  const seconds = (performance.now() - began) / 1000
  return { ...timesOf(times), perSecond: count / seconds }
}

/** Milliseconds of one thing. */
export async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

export const short = (value: number) =>
  value < 0.1 ? value.toFixed(4) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
export const ms = (value: number) => (value < 10_000 ? `${short(value)} ms` : `${(value / 1000).toFixed(1)} s`)
export const quantiles = ({ p50, p99, spread: [low, high] }: Times) =>
  `p50 ${ms(p50)} (${short(low)}–${short(high)}), p99 ${ms(p99)}`
