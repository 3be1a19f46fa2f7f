/** Amounts in shares: what is free differs for those who ask only when it differs in whole ones. */

/** How many shares of these amounts there are in what is free: any sum of amounts is made of whole ones. */
export function sharesBy(amounts: readonly number[]): (free: number) => number {
  const share = amounts.reduce(commonShare, 0)
  const all = amounts.reduce((total, amount) => total + amount, 0)
  return free => (share === 0 ? 0 : Math.floor(Math.min(free, all) / share))
}

const commonShare = (a: number, b: number): number => (b === 0 ? a : commonShare(b, a % b))
