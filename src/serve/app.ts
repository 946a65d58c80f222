import fastifySwagger from '@fastify/swagger';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Socket } from 'node:net';
import { tokenCheck } from './auth.js';
import { readBody } from './body.js';
import { Exchange } from './exchange.js';
import { pageFiles } from './page.js';
import { lengthHeader } from './protocol-binary.js';
import { Refusal } from './refusal.js';
import { addPageRoutes } from './routes-page.js';
import { addProtocolRoutes } from './routes-protocol.js';
import type { ServerState } from './state.js';

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
    /** In one word, why it was refused. */
    refusedFor: string | undefined;
  }
  interface FastifyContextConfig {
    /** Needs no token. */
    readonly open?: boolean;
    /** Asks for scores. */
    readonly infer?: boolean;
  }
}

export interface Security {
  readonly token: string | undefined;
  /** PEM */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

/** Connections at a time; each costs memory before it has said a word. */
const maxConnections = 2048;

/** The HTTP application: who may ask, what is counted, how errors are told, and the routes. */
export async function buildApp(state: ServerState, { token, tls }: Security): Promise<FastifyInstance> {
  const timeout = state.options.timeout * 1000;
  const node = { headersTimeout: timeout, connectionsCheckingInterval: Math.min(1000, Math.max(20, timeout / 4)) };
  const common = {
    logger: false,
    exposeHeadRoutes: false,
    requestTimeout: timeout,
    clientErrorHandler,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      tellError(state, error, request, reply),
  } as const;
  const app = tls
    ? (fastify({ ...common, https: { ...node, ...tls } }) as unknown as FastifyInstance)
    : fastify({ ...common, http: node });
  app.server.maxConnections = maxConnections;
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => data => JSON.stringify(data));
  addExchange(app, state, token);
  addBodies(app, state);
  app.setErrorHandler((error: FastifyError, request, reply) => tellError(state, error, request, reply));
  app.setNotFoundHandler(request => {
    throw new Refusal(
      404,
      'not-found',
      `${request.method} ${request.url.slice(0, 100)}: no such address; /openapi.json has them all`,
    );
  });
  await app.register(fastifySwagger, { openapi: describe(state, token !== undefined) });
  const files = await pageFiles();
  app.after(() => {
    addProtocolRoutes(app, state);
    addPageRoutes(app, state, files);
  });
  await app.ready();
  return app;
}

/** Every request has its exchange from the first hook on, and is counted when that ends. */
function addExchange(app: FastifyInstance, state: ServerState, token: string | undefined): void {
  const allowed = token === undefined ? () => true : tokenCheck(token);
  app.decorateRequest('exchange', null as unknown as Exchange);
  app.decorateRequest('refusedFor', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    const { config, url } = request.routeOptions;
    state.underWay += 1;
    request.exchange = new Exchange(reply.raw, state.budget, exchange => {
      state.underWay -= 1;
      const { status } = exchange;
      state.metrics.request(url ?? 'unknown', status, exchange.age, config.infer === true);
      if (status >= 400) state.metrics.refuse(request.refusedFor ?? 'cancelled');
      if (state.log.isLevelEnabled('debug'))
        state.log.debug({ method: request.method, url: request.url, status, ms: exchange.age }, 'request');
    });
    if (!config.open && !allowed(request.headers.authorization)) {
      void reply.header('www-authenticate', 'Bearer realm="anomalyclr"');
      return done(new Refusal(401, 'unauthorised', 'give the bearer token of this server'));
    }
    if (state.stopping && !config.open) return done(new Refusal(503, 'stopping', 'the server stops', 5));
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    if (state.stopping) void reply.header('connection', 'close');
    request.exchange?.answering(state.options.timeout * 1000);
    done(null, payload);
  });
}

/** Bodies of any type come as bytes: what they are the protocol says, and its clients name no type. */
function addBodies(app: FastifyInstance, state: ServerState): void {
  const { options, batcher } = state;
  const limits = { maxBytes: options.maxRequest * 1e6, timeout: options.timeout * 1000 };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest) => {
    if (request.routeOptions.config.infer && batcher.full) throw batcher.fullRefusal(); // not worth reading
    return readBody(request.raw, request.exchange.share, limits, Number(request.headers[lengthHeader]) || 0);
  });
}

function tellError(state: ServerState, error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof Refusal) {
    request.refusedFor = error.reason;
    if (error.retryAfter !== undefined) void reply.header('retry-after', error.retryAfter);
    if (error.status === 408 || error.reason === 'stopping') void reply.header('connection', 'close');
    return void reply.code(error.status).send({ error: error.message });
  }
  const status = error.statusCode ?? 500;
  request.refusedFor = status < 500 ? 'bad-request' : 'failed';
  if (status < 500) return void reply.code(status).send({ error: error.message });
  state.log.error({ err: error, url: request.url }, 'a request failed');
  void reply.code(500).send({ error: 'the server failed at this request; its log says more' });
}

/** What can't even be parsed as HTTP, or came too slowly. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'the request did not arrive in time']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'the headers are too large']
        : ['400 Bad Request', 'this is not HTTP'];
  const body = JSON.stringify({ error: message });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function describe({ version, options }: ServerState, secured: boolean): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'anomalyclr',
      version,
      description: `Anomaly scores of collider events, by the Open Inference Protocol v2. The model's name is ${options.name}.`,
    },
    ...(secured
      ? {
          components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
          security: [{ token: [] }],
        }
      : {}),
  };
}
