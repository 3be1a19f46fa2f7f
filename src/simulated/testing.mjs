/** `nephos/testing` as users of the package import it: Node strips no types under node_modules, so our own hooks are put in place first. */
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 26 || (major === 26 && minor < 1))
  throw new Error(
    `nephos/testing needs Node 26.1 or newer and this is ${process.versions.node}. The package brings one for Linux: run your tests with ` +
      'node_modules/.bin/node. Or start "npx nephos up --simulated" and steer it by HTTP.',
  )
await import('../module-hooks.mjs')
export const { startCloud } = await import('./start-cloud.ts')
