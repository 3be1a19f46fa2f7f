/** Every flavor that is there, or that a server still has, gets its number; new ones get theirs when they are made. */
import { sql } from 'kysely'
import type { Migration } from '#kernel/db/migrate.ts'

export const numberAllFlavors: Migration = {
  name: '0017-number-all-flavors',
  async up(db) {
    await sql`
      insert into compute_flavor_numbers (flavor_id)
      select id from (select id from compute_flavors union select flavor_id from compute_servers) as known
      where id not in (select flavor_id from compute_flavor_numbers)
      order by id
    `.execute(db)
  },
}
