/** Addresses of the event API that its answers name. */
export const servicePath = '/event'
export const feedPath = `${servicePath}/v1/feed`
export const hubPath = `${servicePath}/v1/hub`
