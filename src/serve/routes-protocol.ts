import type { FastifyInstance, FastifyRequest } from 'fastify';
import { inputName } from '../bundle/card.js';
import { AnomalyClrError } from '../errors.js';
import { infer } from './infer.js';
import type { Loaded } from './model-slot.js';
import { routeSchemas } from './openapi.js';
import { outputTensors } from './protocol.js';
import { badRequest, Refusal } from './refusal.js';
import { currentModel, type ServerState } from './state.js';

interface ModelParams {
  readonly name: string;
  readonly version?: string;
}

/** The addresses of the Open Inference Protocol v2, and of Triton's extensions that its clients use. */
export function addProtocolRoutes(app: FastifyInstance, state: ServerState): void {
  addServerRoutes(app, state);
  for (const path of ['/v2/models/:name', '/v2/models/:name/versions/:version']) addModelRoutes(app, state, path);
  addRepositoryRoutes(app, state);
}

function addServerRoutes(app: FastifyInstance, state: ServerState): void {
  const { options, slot, version } = state;
  app.get('/v2/health/live', { schema: routeSchemas.live, config: { open: true } }, () => ({ live: true }));
  app.get('/v2/health/ready', { schema: routeSchemas.ready, config: { open: true } }, (_, reply) => {
    const ready = slot.current !== undefined && !state.stopping;
    return reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get('/v2', { schema: routeSchemas.server }, () => ({
    name: 'anomalyclr',
    version,
    extensions: ['binary_tensor_data', 'model_configuration', 'model_repository', 'statistics'],
  }));
  app.get('/v2/models/stats', { schema: routeSchemas.stats }, () => {
    const model = currentModel(state, {});
    return { model_stats: [model.statistics.json(options.name, model.version)] };
  });
}

function addModelRoutes(app: FastifyInstance, state: ServerState, path: string): void {
  const { options } = state;
  const model = ({ params }: FastifyRequest): Loaded => currentModel(state, params as ModelParams);
  app.get(path, { schema: routeSchemas.model }, request => {
    const { card, version } = model(request);
    return {
      name: options.name,
      versions: [version],
      platform: 'onnx_onnxv1',
      inputs: [{ name: inputName, datatype: 'FP32', shape: [-1, -1, 4] }],
      outputs: outputTensors(card).map(({ name, datatype, shape }) => ({ name, datatype, shape: [-1, ...shape] })),
    };
  });
  app.get(`${path}/ready`, { schema: routeSchemas.modelReady }, (request, reply) => {
    model(request);
    return reply.code(state.stopping ? 503 : 200).send({ name: options.name, ready: !state.stopping });
  });
  app.get(`${path}/config`, { schema: routeSchemas.config }, request => configOf(model(request), options));
  app.get(`${path}/stats`, { schema: routeSchemas.stats }, request => {
    const { statistics, version } = model(request);
    return { model_stats: [statistics.json(options.name, version)] };
  });
  app.post(`${path}/infer`, { schema: routeSchemas.infer, config: { infer: true } }, (request, reply) =>
    infer(state, request, reply),
  );
}

/** In the terms of Triton's model configuration. */
function configOf({ card, bundle, version }: Loaded, options: ServerState['options']): object {
  const dims = (shape: readonly number[]): number[] => [-1, ...shape];
  return {
    name: options.name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: { specific: { versions: [Number(version)] } },
    max_batch_size: 0, // the batch stands in the shapes
    input: [{ name: inputName, data_type: 'TYPE_FP32', dims: [-1, -1, 4] }],
    output: outputTensors(card).map(({ name, datatype, shape }) => ({
      name,
      data_type: `TYPE_${datatype}`,
      dims: dims(shape),
    })),
    instance_group: [{ count: bundle.sessions, kind: bundle.provider === 'cpu' ? 'KIND_CPU' : 'KIND_GPU' }],
    parameters: {
      max_batch: { string_value: String(options.maxBatch) },
      latency_budget_ms: { string_value: String(options.latencyBudget) },
      max_queue_events: { string_value: String(options.queue) },
    },
  };
}

function addRepositoryRoutes(app: FastifyInstance, state: ServerState): void {
  const { options, slot } = state;
  app.post('/v2/repository/index', { schema: routeSchemas.index }, () =>
    slot.current ? [{ name: options.name, version: slot.current.version, state: 'READY', reason: '' }] : [],
  );
  app.post('/v2/repository/models/:name/load', { schema: routeSchemas.load }, async request => {
    currentModel(state, request.params as ModelParams);
    refuseOtherConfiguration(request.body);
    try {
      await state.reload();
    } catch (error) {
      if (!(error instanceof AnomalyClrError)) throw error;
      throw badRequest(`${error.message}; the model from before goes on`);
    }
    return { name: options.name, version: currentModel(state, {}).version };
  });
  app.post('/v2/repository/models/:name/unload', { schema: routeSchemas.unload }, request => {
    currentModel(state, request.params as ModelParams);
    throw new Refusal(
      400,
      'bad-request',
      `"${options.name}" is the only model of this server; stop the server instead`,
    );
  });
}

/** Triton would take a configuration and files with the call; here the model comes from the file of --model alone. */
function refuseOtherConfiguration(body: unknown): void {
  if (!Buffer.isBuffer(body) || body.length === 0) return;
  let given: { parameters?: object } | null;
  try {
    given = JSON.parse(body.toString()) as typeof given;
  } catch {
    throw badRequest('the body is not valid JSON');
  }
  const names = Object.keys(given?.parameters ?? {});
  if (names.length > 0)
    throw badRequest(`parameters ${names.join(', ').slice(0, 100)} are not supported; the model comes from its file`);
}
