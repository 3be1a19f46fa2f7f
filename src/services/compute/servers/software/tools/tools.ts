/** The tools by the names that requests have for them. */
import type { SoftwareDriver } from '../software.ts'
import { chefTool, puppetTool } from './manifests.ts'
import { packagesTool } from './packages.ts'
import type { Tool } from './tool.ts'

export const tools: Record<SoftwareDriver, Tool> = { packages: packagesTool, puppet: puppetTool, chef: chefTool }
