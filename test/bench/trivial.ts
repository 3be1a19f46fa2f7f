/** The server of the baseline: one route that answers a constant. Prints its address. */
import fastify from 'fastify'

const app = fastify()
app.get('/', () => ({ server: { id: '6a1f2c3d-0000-4000-8000-00000000beef', name: 'a constant', status: 'ACTIVE' } }))
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
