import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import type { ServeOptions } from '../config/schema.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { oneLine, readText } from '../files.js';
import { buildApp, type Security } from './app.js';
import { readToken } from './auth.js';
import { Batcher } from './batcher.js';
import { Budget } from './body.js';
import { Metrics } from './metrics.js';
import { type BundleOpener, ModelSlot, watchFile } from './model-slot.js';
import type { ServerState } from './state.js';

/** Bytes that requests and answers may hold together, whatever the largest request is. */
const leastBudget = 256e6;

export interface ServerParts {
  readonly open: BundleOpener;
  /** Of this library. */
  readonly version: string;
  readonly log: Logger;
}

export interface RunningServer {
  /** For instance `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Loads the bundle again; a broken file is logged and leaves the old one serving, and rejects. */
  reload(): Promise<void>;
  /** Takes no more requests, answers those under way within the grace, then closes all. */
  stop(): Promise<void>;
}

/**
 * Serves a bundle by the Open Inference Protocol v2. The address answers health checks at once, requests for scores
 * when the model is loaded and warm; that is when this returns.
 *
 * @throws AnomalyClrError in one line: the bundle, the certificate, the token or the address can't be used
 * @example
 * const server = await openServer(options, { open: file => openBundle(file), version, log });
 * console.log(server.url);
 * await server.stop();
 */
export async function openServer(options: ServeOptions, { open, version, log }: ServerParts): Promise<RunningServer> {
  const security = await readSecurity(options);
  const state = stateOf(options, new ModelSlot(options.model, open, options.maxBatch), version, log);
  const app = await buildApp(state, security);
  try {
    const url = await listen(app, options, security.tls !== undefined);
    log.info({ url }, 'listening; loading the model');
    if (!isLoopback(options.host) && security.token === undefined)
      log.warn(`anyone who reaches ${url} can use this server; --token-file makes it ask for a token`);
    await state.reload();
    log.info({ url, name: options.name }, `ready: ${url}`);
    const unwatch = options.watch
      ? watchFile(options.model, () => void state.reload().catch(() => undefined))
      : undefined;
    return {
      url,
      reload: state.reload,
      stop: async () => {
        unwatch?.();
        await stop(app, state);
      },
    };
  } catch (error) {
    await app.close();
    await state.slot.dispose();
    throw error;
  }
}

function stateOf(options: ServeOptions, slot: ModelSlot, version: string, log: Logger): ServerState {
  const batcher: Batcher = new Batcher(options, ({ lane, objects, events, slots, outputs, waitedMs, computedMs }) => {
    metrics.batch(events, computedMs / 1000);
    const model = slot.current?.bundle === lane.bundle ? slot.current : undefined;
    if (!model) return; // of a model that was replaced meanwhile
    model.statistics.executed(waitedMs, computedMs);
    try {
      model.monitor.record(objects, events, slots, outputs);
    } catch (error) {
      log.error({ err: error }, 'the monitor failed at a batch; its figures are wrong from here on');
    }
  });
  const metrics = new Metrics(batcher, slot);
  return {
    options,
    version,
    slot,
    batcher,
    metrics,
    budget: new Budget(Math.max(leastBudget, 4e6 * options.maxRequest)),
    log,
    reload: async () => {
      try {
        const { bundle, version: loaded, card } = await slot.load();
        metrics.load('loaded');
        const { provider, sessions } = bundle;
        log.info({ file: options.model, version: loaded, created: card.created, provider, sessions }, 'model loaded');
      } catch (error) {
        metrics.load('failed');
        if (slot.current) log.error(`${(error as Error).message}; version ${slot.current.version} goes on`);
        throw error;
      }
    },
    stopping: false,
    underWay: 0,
  };
}

async function readSecurity({ tokenFile, tlsCert, tlsKey }: ServeOptions): Promise<Security> {
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new UsageError(`--tls-${tlsCert === undefined ? 'key needs --tls-cert' : 'cert needs --tls-key'}; give both`);
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  if (tlsCert === undefined || tlsKey === undefined) return { token, tls: undefined };
  const cert = await readText(tlsCert); // one after the other, so that where both are wrong the same one is told
  const key = await readText(tlsKey);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new AnomalyClrError(
      `${tlsCert} and ${tlsKey}: no certificate and key in PEM that belong together: ${oneLine((error as Error).message)}`,
    );
  }
  return { token, tls: { cert, key } };
}

async function listen(app: FastifyInstance, { host, port }: ServeOptions, tls: boolean): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      EADDRINUSE: 'is in use; give another --port, or 0 for any free one',
      EACCES: 'may not be used by this user; give a --port above 1023',
      EADDRNOTAVAIL: 'is no address of this machine; give another --host',
      ENOTFOUND: 'is no address that is known here; give another --host',
    };
    throw new AnomalyClrError(
      `${host} port ${port} ${reasons[code ?? ''] ?? `can't be listened on: ${oneLine(message)}`}`,
    );
  }
  const { address, port: got, family } = app.server.address() as AddressInfo;
  return `${tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${got}`;
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

async function stop(app: FastifyInstance, state: ServerState): Promise<void> {
  const { log, options, slot } = state;
  state.stopping = true;
  log.info({ underWay: state.underWay }, 'stopping: no new requests, those under way are answered');
  const end = performance.now() + options.grace * 1000;
  while (state.underWay > 0 && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 10));
  if (state.underWay > 0) log.warn(`${state.underWay} requests were cut off after ${options.grace} s of grace`);
  app.server.closeAllConnections();
  await app.close();
  await slot.dispose();
  state.metrics.registry.clear();
  log.info('stopped');
}
