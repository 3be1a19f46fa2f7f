/** Limits registered in identity, as an operator does who has unified limits: tests set those of their projects over them. */
import type { Admin } from '../cloud.ts'

const registered: Record<string, Record<string, number>> = {
  glance: { image_size_total: 10_000, image_stage_total: 10_000, image_count_total: 100, image_count_uploading: 100 },
  nova: { servers: 50, 'class:VCPU': 100, 'class:MEMORY_MB': 100_000, 'class:DISK_GB': 1000 },
}

export async function registerLimits(admin: Admin, region: string): Promise<void> {
  const { services } = await admin.get<{ services: { id: string; name: string }[] }>('identity', '/services')
  const registered_limits = services.flatMap(({ id, name }) =>
    Object.entries(registered[name] ?? {}).map(([resource_name, default_limit]) => ({
      ...{ service_id: id, region_id: region, resource_name, default_limit },
    })),
  )
  await admin.post('identity', '/registered_limits', { registered_limits })
}
