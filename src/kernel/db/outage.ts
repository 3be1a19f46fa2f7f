/** A database that is away, full or not to be written: nothing is wrong with what was asked, and later it may be asked again. */

export class DatabaseOutage extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
    this.name = 'DatabaseOutage'
  }
}

/** SQLite's result codes: busy for longer than patience lasts, read-only, input or output fails, full, cannot be opened. */
const sqliteCodes = [5, 8, 10, 13, 14]

/** PostgreSQL's classes: no connection, no resources (a full disk), an operator's doing; and a standby, which takes no changes. */
const postgresStates = /^(08|53|57P|25006)/

/** Of a connection that could not be made, or broke: Node's codes, and the words of `pg`, which gives those errors no code. */
const brokenCodes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']
const brokenWords =
  /^Connection terminated|^timeout exceeded when trying to connect|connection error and is not queryable/

/** An error that a database's driver threw, as an outage when it is one. */
export function outageOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code = '', errcode } = error as { code?: string; errcode?: number }
  const isOutage =
    errcode === undefined
      ? postgresStates.test(code) || brokenCodes.includes(code) || brokenWords.test(error.message)
      : sqliteCodes.includes(errcode & 0xff)
  return isOutage ? new DatabaseOutage(error) : error
}
