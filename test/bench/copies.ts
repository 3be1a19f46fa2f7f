/** Copies of a server in a stopped simulated cloud: its rows again with other ids, on hosts with guests and room for them, or on none. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { systemIds } from '../../src/kernel/ids.ts'

type Row = Record<string, SQLInputValue>

/** What differs between copies: the text that the template has, and each copy's own. */
type Words = { from: string; of: string[] }[]

export interface Copying {
  /** The template's id. */
  id: string
  count: number
  /** Hosts have them too, in turn; else they are on one that is not there, of which nobody knows anything. */
  spread: boolean
}

export function copyServer(data: string, { id, count, spread }: Copying): void {
  using db = new DatabaseSync(join(data, 'nephos.db'))
  const ids = systemIds()
  const one = (sql: string, ...values: SQLInputValue[]) => db.prepare(sql).get(...values) as Row
  const server = one('select display_name, host from compute_servers where id = ?', id)
  const port = one('select id, mac_address from network_ports where device_id = ?', id)
  const { ip_address } = one('select ip_address from network_ip_allocations where port_id = ?', port.id!)
  const hosts = db.prepare('select name, provider_uuid from compute_hosts order by id').all() as Row[]
  // Those of an earlier call keep their names and addresses.
  const first = Number(one('select count(*) as n from compute_servers').n)
  const numbers = Array.from({ length: count }, (_, i) => first + i)
  const hostOf = (n: number) => hosts[n % hosts.length]!
  const ofIds = numbers.map(() => ids.uuid())
  const ports = numbers.map(() => ids.uuid())
  const words: Words = [
    { from: id, of: ofIds },
    { from: String(port.id), of: ports },
    { from: `tap${String(port.id).slice(0, 11)}`, of: ports.map(uuid => `tap${uuid.slice(0, 11)}`) },
    { from: String(port.mac_address), of: numbers.map(n => `fa:16:3f:${bytes(n).map(hex).join(':')}`) },
    { from: String(ip_address), of: numbers.map(n => `10.${[200 + (n >> 16), ...bytes(n).slice(1)].join('.')}`) },
    { from: String(server.display_name), of: numbers.map(n => `copy-${n}`) },
    { from: String(server.host), of: numbers.map(n => (spread ? String(hostOf(n).name) : 'elsewhere')) },
  ]
  if (spread) {
    const { provider } = one('select provider from placement_allocations where consumer = ?', id)
    words.push({ from: String(provider), of: numbers.map(n => String(hostOf(n).provider_uuid)) })
  }
  db.exec('begin')
  keepWords(db, numbers, words)
  for (const table of tablesOf(db, spread)) copyRows(db, table, words)
  if (spread) db.exec(countUsed)
  db.exec('drop table temp.copies; commit')
  if (spread) copyGuests(data, String(server.host), id, words)
}

const bytes = (n: number) => [n >> 16, (n >> 8) & 255, n & 255]
const hex = (byte: number) => byte.toString(16).padStart(2, '0')

const countUsed = `update placement_inventories set used = (select coalesce(sum(a.used), 0) from placement_allocations a
  where a.provider = placement_inventories.provider and a.resource_class = placement_inventories.resource_class)`

function keepWords(db: DatabaseSync, numbers: number[], words: Words): void {
  const columns = words.map((_, index) => `w${index} text`)
  db.exec(`create temp table copies (n integer primary key, ${columns.join(', ')})`)
  const insert = db.prepare(`insert into temp.copies values (?, ${words.map(() => '?').join(', ')})`)
  for (const [index, n] of numbers.entries()) insert.run(n, ...words.map(({ of }) => of[index]!))
}

/** Journals and events of the template stay its own. */
function tablesOf(db: DatabaseSync, spread: boolean): string[] {
  const tables = db.prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").all()
  return tables
    .map(({ name }) => String(name))
    .filter(name => !name.startsWith('kernel_') && (spread || !name.startsWith('placement_')))
}

/** Every row of a table that names the template or its port, once for each copy. Numbers that the database gives are left out. */
function copyRows(db: DatabaseSync, table: string, words: Words): void {
  const columns = (db.prepare(`select name, pk, type from pragma_table_info('${table}')`).all() as Row[])
    .filter(column => !(column.pk === 1 && column.type === 'INTEGER'))
    .map(column => `"${column.name}"`)
  const own = words.slice(0, 2).map(({ from }) => `%${from}%`)
  const holds = own.map(() => columns.map(column => `${column} like ?`).join(' or ')).join(' or ')
  const patterns = own.flatMap(pattern => columns.map(() => pattern))
  const rows = db.prepare(`select ${columns.join(', ')} from "${table}" where ${holds}`).all(...patterns) as Row[]
  for (const row of rows) {
    const values: SQLInputValue[] = []
    const written = Object.entries(row).map(([column, value]) => {
      values.push(value)
      // One after another, so that pages and markers go over times as they do with servers that people made.
      if (table === 'compute_servers' && column === 'created_at')
        return "strftime('%Y-%m-%dT%H:%M:%fZ', ?, '-' || n || ' seconds')"
      return words.reduce((text, { from }, index) => {
        if (typeof value !== 'string' || !value.includes(from)) return text
        values.push(from)
        return `replace(${text}, ?, w${index})`
      }, '?')
    })
    db.prepare(`insert into "${table}" (${columns.join(', ')}) select ${written.join(', ')} from temp.copies`).run(
      ...values,
    )
  }
}

function copyGuests(data: string, host: string, id: string, words: Words): void {
  const template = readFileSync(join(data, 'hosts', host, `${id}.json`), 'utf8')
  const hosts = words.find(({ from }) => from === host)!.of
  for (const [index, name] of hosts.entries()) {
    const guest = words.reduce((text, { from, of }) => text.replaceAll(from, of[index]!), template)
    writeFileSync(join(data, 'hosts', name, `${words[0]!.of[index]}.json`), guest)
  }
}
