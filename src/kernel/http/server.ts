/** The one HTTP port: every service's operations as routes of one Fastify server. */
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Env } from '../context.ts'
import { BadRequest, Fault, MethodNotAllowed, NotFound, PayloadTooLarge } from '../errors.ts'
import type { Health } from '../health.ts'
import type { MetricsPage } from '../metrics.ts'
import { ordinal } from '../schema/version.ts'
import type { Service } from '../service.ts'
import { type DispatchOptions, dispatch } from './dispatch.ts'
import { sendFault } from './faults.ts'
import { serveFolder } from './files.ts'
import { readJson } from './json-body.ts'
import { negotiate, versionHeaders } from './negotiate.ts'
import { requestFacts } from './request-id.ts'
import { createRoutes, pathOptions } from './routes.ts'
import { isUpgrade, serveUpgrades, type Upgrades } from './upgrade.ts'

export interface HttpOptions extends DispatchOptions {
  /** Largest JSON body in bytes. */
  bodyLimit?: number
  /** Of the whole cloud. */
  health: () => Promise<Health>
  metrics: () => Promise<MetricsPage>
}

/** Reads JSON bodies of any content type that says JSON; everything else stays a stream. */
function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    /^application\/([\w.+-]*[.+-])?json(-patch|-home)?\b/i,
    { parseAs: 'string' },
    (_request, text, done) => {
      if (text === '') return done(null, undefined)
      try {
        done(null, readJson(text as string))
      } catch (error) {
        done(error as Fault)
      }
    },
  )
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
}

const unused = () => () => {
  throw new Error('no route has a schema of its own')
}

export function createHttp(env: Env, services: readonly Service[], options: HttpOptions): FastifyInstance {
  const routes = createRoutes(services)
  const upgrades: Upgrades = Object.assign({}, ...services.map(s => s.upgrades))
  const app = fastify({
    http: { shouldUpgradeCallback: request => isUpgrade(request, upgrades) },
    bodyLimit: options.bodyLimit ?? 10 * 1024 * 1024,
    exposeHeadRoutes: true,
    routerOptions: pathOptions,
    logger: false,
    // Our operations check and write their own JSON; Fastify's compilers would only be loaded.
    schemaController: { compilersFactory: { buildValidator: unused, buildSerializer: unused } },
    forceCloseConnections: true,
    rewriteUrl: request => {
      const url = request.url ?? '/'
      const service = routes.service(url)
      return service?.rewrite ? service.path + service.rewrite(url.slice(service.path.length)) : url
    },
  })
  addParsers(app)
  app.addHook('onRequest', (_request, _reply, done) => {
    const pause = env.database.beforeRequest()
    if (pause) void pause.then(() => done())
    else done()
  })

  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '*',
    exposeHeadRoute: false,
    handler(request, reply) {
      const found = routes.find(request.method, request.url)
      if (!found) return reply.callNotFound()
      request.params = found.params
      return dispatch(env, found, request, reply, options)
    },
  })
  for (const folder of services.flatMap(s => s.pages ?? [])) serveFolder(app, folder)
  serveUpgrades(env, app, upgrades)

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]!
    const service = routes.service(path)
    const methods = routes.methods(path)
    const fault =
      methods.length > 0
        ? new MethodNotAllowed(`The method ${request.method} is not allowed for this resource.`, {
            // HEAD goes with GET.
            headers: { allow: methods.filter(name => name !== 'HEAD' || !methods.includes('GET')).join(', ') },
          })
        : new NotFound()
    const version = service && speak(service, request, reply)
    return sendFault(env, service, request, reply, fault, requestFacts(env, request), version)
  })
  app.setErrorHandler((error, request, reply) =>
    sendFault(env, routes.service(request.url), request, reply, frameworkFault(error), requestFacts(env, request)),
  )
  app.get('/healthcheck', async (_request: FastifyRequest, reply: FastifyReply) => {
    const health = await options.health()
    return reply.status(health.status === 'ok' ? 200 : 503).send(health)
  })
  app.get('/metrics', async (_request: FastifyRequest, reply: FastifyReply) => {
    const { contentType, body } = await options.metrics()
    return reply.type(contentType).send(body)
  })
  return app
}

/** Says which API version the answer to an unknown path speaks; undefined when the one asked for makes no sense. */
function speak({ microversions }: Service, request: FastifyRequest, reply: FastifyReply): number | undefined {
  try {
    if (!microversions) return undefined
    const version = negotiate(microversions, request.headers)
    reply.headers(versionHeaders(microversions, version))
    return ordinal(version)
  } catch {
    return undefined
  }
}

/** What Fastify itself refuses, in our words. */
function frameworkFault(error: unknown): unknown {
  if (error instanceof Fault) return error
  const { code, statusCode } = error as { code?: string; statusCode?: number }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new PayloadTooLarge()
  if (statusCode && statusCode >= 400 && statusCode < 500) return new BadRequest((error as Error).message)
  return error
}
