import type { FastifyInstance } from 'fastify';
import type { LiveAnswer } from './live.js';
import { routeSchemas } from './openapi.js';
import { type PageFile, pageHeaders } from './page.js';
import { currentModel, type ServerState } from './state.js';

/** What people and Prometheus look at. */
export function addPageRoutes(app: FastifyInstance, state: ServerState, files: readonly PageFile[]): void {
  const { metrics, version } = state;
  for (const { path, type, body } of files)
    app.get(path, { schema: { hide: true }, config: { open: true } }, (_, reply) =>
      reply.headers(pageHeaders).type(type).send(body),
    );
  app.get('/live', { schema: routeSchemas.figures }, (_, reply): LiveAnswer => {
    void reply.header('cache-control', 'no-store');
    return { ...currentModel(state, {}).monitor.snapshot(), server: metrics.figures(version) };
  });
  app.get('/metrics', { schema: routeSchemas.metrics }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
