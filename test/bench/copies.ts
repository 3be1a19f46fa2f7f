/** Copies of a server in the database of a stopped cloud: every row that names it or its port, again with other ids. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { systemIds } from '../../src/kernel/ids.ts'

type Row = Record<string, SQLInputValue>

/** Hosts do not know of the copies: they are on one that is not there, and placement has nothing of them. */
export function copyServer(file: string, id: string, count: number): void {
  using db = new DatabaseSync(file)
  const ids = systemIds()
  const port = db.prepare('select id, mac_address from network_ports where device_id = ?').get(id) as Row
  const { ip_address } = db
    .prepare('select ip_address from network_ip_allocations where port_id = ?')
    .get(port.id!) as Row
  const { host } = db.prepare('select host from compute_servers where id = ?').get(id) as Row
  const template = rowsWith(db, [id, String(port.id)])
  db.exec('begin')
  for (let i = 0; i < count; i++) {
    const hex = (i + 0x100000).toString(16).padStart(6, '0')
    const names: [string, string][] = [
      [id, ids.uuid()],
      [String(port.id), ids.uuid()],
      [String(port.mac_address), `fa:16:3f:${hex.match(/../g)!.join(':')}`],
      [String(ip_address), `10.${200 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`],
      [String(host), 'elsewhere'],
    ]
    for (const { insert, rows } of template) {
      for (const row of rows) insert.run(...Object.values(row).map(value => withNames(value, names)))
    }
  }
  db.exec('commit')
}

const withNames = (value: SQLInputValue, names: [string, string][]): SQLInputValue =>
  typeof value === 'string' ? names.reduce((text, [from, to]) => text.replaceAll(from, to), value) : value

/** Rows of all tables that hold one of the words. Numbers that the database gives are left out. */
function rowsWith(db: DatabaseSync, words: string[]) {
  const tables = db.prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").all()
  return tables.flatMap(({ name }) => {
    if (/^(placement|kernel)_/.test(String(name))) return []
    const columns = db.prepare(`select name, pk, type from pragma_table_info('${name}')`).all() as Row[]
    const kept = columns
      .filter(column => !(column.pk === 1 && column.type === 'INTEGER'))
      .map(column => String(column.name))
    const holds = words.map(() => kept.map(column => `"${column}" like ?`).join(' or ')).join(' or ')
    const patterns = words.flatMap(word => kept.map(() => `%${word}%`))
    const list = kept.map(column => `"${column}"`).join(', ')
    const rows = db.prepare(`select ${list} from "${name}" where ${holds}`).all(...patterns) as Row[]
    if (rows.length === 0) return []
    const insert = db.prepare(`insert into "${name}" (${list}) values (${kept.map(() => '?').join(', ')})`)
    return [{ insert, rows }]
  })
}
