/** `nephos config sample`: every setting with its default and what it means. */
import { sampleConfig } from '#kernel/config/sample.ts'
import { sections } from '../cloud.ts'

export async function configSample(): Promise<number> {
  process.stdout.write(sampleConfig(sections))
  return 0
}
