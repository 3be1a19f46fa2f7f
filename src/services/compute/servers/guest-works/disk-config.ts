/** `OS-DCF:diskConfig`: whether the cloud sees to it that the guest's root has all of the flavor's disk. */
import { BadRequest } from '#kernel/errors.ts'
import { isTrue } from '../../dialect.ts'
import type { ServerImage, ServerRow } from '../server.ts'
import { hasAgent } from '../software/software.ts'

type Image = Pick<ServerImage, 'id' | 'properties'> | null

const refuses = (image: Image) => image?.properties.auto_disk_config?.toLowerCase() === 'disabled'

/** As asked for, else as the image says (`auto_disk_config`); throws when the image refuses it. */
export function diskConfigOf(image: Image, asked: ServerRow['disk_config'] | undefined): ServerRow['disk_config'] {
  if (!refuses(image)) return asked ?? (isTrue(image?.properties.auto_disk_config) ? 'AUTO' : 'MANUAL')
  if (asked === 'AUTO') throw new BadRequest(`Requested image ${image!.id} has automatic disk resize disabled.`)
  return 'MANUAL'
}

/** By the agent: guests without one grow by what they have inside, and so does a Windows. */
export const growsItsDisk = ({ disk_config, flavor, image }: ServerRow): boolean =>
  disk_config === 'AUTO' &&
  flavor.disk > 0 &&
  hasAgent(image) &&
  image?.properties.os_type !== 'windows' &&
  !refuses(image)
