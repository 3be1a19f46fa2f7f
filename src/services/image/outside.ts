/** Reads from web servers that users name, as the configuration lets them. */
import type { Env } from '#kernel/context.ts'
import * as outside from '#kernel/http/outside.ts'
import { imageConfig } from './config.ts'

function outsideOf(env: Env): outside.Outside {
  const { import_schemes, import_ports, import_hosts, import_refused_hosts, import_networks } =
    env.config.of(imageConfig)
  return {
    schemes: import_schemes,
    ports: import_ports,
    hosts: import_hosts,
    refusedHosts: import_refused_hosts,
    networks: import_networks,
  }
}

export { NotAllowed } from '#kernel/http/outside.ts'

/** Whether the address is one of the Internet's, or of a network that the configuration opens. */
export const allowedAddress = (env: Env, text: string): boolean => outside.allowedAddress(outsideOf(env), text)

/** Throws `NotAllowed`. */
export const allowedUrl = (env: Env, text: string): URL => outside.allowedUrl(outsideOf(env), text)

/** Opens an address, following redirects to where one may go. Throws `NotAllowed`, or the connection's own error. */
export const openUrl = (env: Env, text: string, options: outside.OpenOptions = {}): Promise<outside.Opened> =>
  outside.openUrl(outsideOf(env), text, options)
