import type { FastifyInstance } from 'fastify';
import type { LiveAnswer } from './live.js';
import { routeSchemas } from './openapi.js';
import { currentModel, type ServerState } from './state.js';

/** What people and Prometheus look at. */
export function addPageRoutes(app: FastifyInstance, state: ServerState): void {
  const { metrics, version } = state;
  app.get('/live', { schema: routeSchemas.figures }, (_, reply): LiveAnswer => {
    void reply.header('cache-control', 'no-store');
    return { ...currentModel(state, {}).monitor.snapshot(), server: metrics.figures(version) };
  });
  app.get('/metrics', { schema: routeSchemas.metrics }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
