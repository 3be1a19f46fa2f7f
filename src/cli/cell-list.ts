/** `nephos cell list`: the cells of the cloud, and how many servers are in each. */
import { adminApi, answered } from './admin-api.ts'

export async function cellList({ data }: { data: string }): Promise<number> {
  const api = await adminApi(data)
  const cells = await api.compute<{ cell_mappings: { name: string | null; servers: number }[] }>('/os-cell-mappings')
  for (const { name, servers } of answered(cells).cell_mappings)
    console.log(`${name ?? 'not placed yet'}  ${servers} servers`)
  return 0
}
