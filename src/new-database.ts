/** What a new SQLite database begins as: all migrations in one, written to `new-database.sql` by `npm run generate` and tested to be the same. */
import { readFileSync } from 'node:fs'

/** Its statements, which empty lines divide; the first is a remark. */
export function newDatabase(): string[] {
  return readFileSync(new URL('./new-database.sql', import.meta.url), 'utf8')
    .split('\n\n')
    .slice(1)
}
