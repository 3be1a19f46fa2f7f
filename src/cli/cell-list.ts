/** `nephos cell list`: the cells of the cloud, and how many servers are in each. */
import { adminApi } from './admin-api.ts'

export async function cellList({ data }: { data: string }): Promise<number> {
  const api = await adminApi(data)
  const { body } = await api.compute<{ cell_mappings: { name: string; servers: number }[] }>('/os-cell-mappings')
  for (const { name, servers } of body.cell_mappings) console.log(`${name}  ${servers} servers`)
  return 0
}
