import type { FastifyReply, FastifyRequest } from 'fastify';
import { pack } from './body.js';
import { checkEvents } from './check-events.js';
import { applyDomainPolicy } from './domain-policy.js';
import type { Loaded } from './model-slot.js';
import { type InferAnswer, type InferRequest, lengthHeader, parseInfer, writeInfer } from './protocol-binary.js';
import { outputTensors } from './protocol.js';
import { currentModel, type ServerState } from './state.js';

/** Answers `POST /v2/models/{name}/infer`. */
export async function infer(state: ServerState, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const model = currentModel(state, request.params as { name: string; version?: string });
  state.slot.acquire(model);
  const { age } = request.exchange;
  try {
    const read = readRequest(state, model, request);
    const answer = await score(state, model, read, request);
    return await send(reply, answer, request);
  } catch (error) {
    model.statistics.failed(request.exchange.age - age);
    throw error;
  } finally {
    state.slot.release(model);
  }
}

function readRequest({ options }: ServerState, { card }: Loaded, { body, headers }: FastifyRequest): InferRequest {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  const length = headers[lengthHeader];
  const maxEvents = Math.min(options.maxEvents, options.queue);
  const read = parseInfer(bytes, Array.isArray(length) ? length[0] : length, outputTensors(card), maxEvents);
  checkEvents(read.objects, read.slots, card.domain.data);
  return read;
}

async function score(
  { batcher, options }: ServerState,
  model: Loaded,
  read: InferRequest,
  { exchange }: FastifyRequest,
): Promise<InferAnswer> {
  const { objects, events, slots, wanted } = read;
  const begun = performance.now();
  const representation = wanted.some(({ name }) => name === 'representation');
  const ticket = batcher.submit({ lane: model, objects, events, slots, representation });
  const outputs = await exchange.await(ticket, options.timeout * 1000);
  const scored = performance.now();
  const kept = applyDomainPolicy(options.outOfDomain, model.card, objects, slots, outputs);
  const answer = writeInfer(read, kept, { name: options.name, version: model.version });
  model.statistics.answered(events, begun - exchange.begun, scored - begun, performance.now() - scored);
  return answer;
}

async function send(reply: FastifyReply, answer: InferAnswer, request: FastifyRequest): Promise<FastifyReply> {
  const [body, encoding] = await pack(answer.body, request.headers['accept-encoding']?.toString());
  // it is in memory already: whoever reads slowly keeps others from taking more
  request.exchange.share.force(body.length);
  if (encoding) void reply.header('content-encoding', encoding);
  if (answer.headerLength !== undefined) void reply.header('Inference-Header-Content-Length', answer.headerLength);
  return reply.type(answer.headerLength === undefined ? 'application/json' : 'application/octet-stream').send(body);
}
