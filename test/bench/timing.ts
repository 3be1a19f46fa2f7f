/** Times of many calls. */

/** In milliseconds. */
export interface Times {
  p50: number
  p99: number
}

export function timesOf(times: readonly number[]): Times {
  const sorted = times.toSorted((a, b) => a - b)
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!
  return { p50: quantile(0.5), p99: quantile(0.99) }
}

/** `count` calls made by `clients` at once. */
export async function timed(
  count: number,
  clients: number,
  call: (i: number) => Promise<unknown>,
): Promise<Times & { perSecond: number }> {
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

export const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`
export const quantiles = ({ p50, p99 }: Times) => `p50 ${ms(p50)}, p99 ${ms(p99)}`
