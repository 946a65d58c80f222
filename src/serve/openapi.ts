import type { FastifySchema } from 'fastify';
import * as z from 'zod';
import { dataKindNames } from '../events/data-kinds.js';
import { Kind } from '../events/objects.js';
import { crossedBits, crossedColumns, crossedRowsOf, inputName, outputNames, slotLimits } from '../bundle/card.js';

/** A zod schema as OpenAPI 3.1 has it. */
function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

const tensorMetadata = z.object({
  name: z.string(),
  datatype: z.enum(['FP32', 'BOOL', 'INT32']),
  shape: z.array(z.int()).describe('-1 where it varies'),
});
const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const numberOrNull = z.number().nullable();
const classes = Object.entries(Kind)
  .map(([name, code]) => `${code} ${name === 'met' ? 'MET' : name}`)
  .join(', ');
const rows = dataKindNames.map(data => crossedRowsOf({ data }).join('/')).join(' or ');
const flatOrNested = z
  .union([z.array(z.number()), z.array(z.array(z.array(z.number()).length(4)))])
  .describe(`row by row, flat or nested: pT [GeV], eta, phi [rad], class (0 empty, ${classes})`);

const inferRequest = z.object({
  id: z.string().optional().describe('comes back with the answer'),
  parameters: parameters.optional().describe('binary_data_output: all outputs as bytes behind the JSON'),
  inputs: z
    .array(
      z.object({
        name: z.literal(inputName),
        datatype: z.literal('FP32'),
        shape: z.array(z.int()).length(3).describe(`[events, slots, 4], ${slotLimits.min} to ${slotLimits.max} slots`),
        parameters: parameters.optional().describe('binary_data_size: bytes of the tensor behind the JSON'),
        data: flatOrNested.optional(),
      }),
    )
    .length(1),
  outputs: z
    .array(
      z.object({
        name: z.enum(outputNames),
        parameters: parameters.optional().describe('binary_data: as bytes behind the JSON'),
      }),
    )
    .optional()
    .describe('all where it is left out'),
});

const inferAnswer = z.object({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  outputs: z.array(
    z.object({
      name: z.enum(outputNames),
      datatype: z.enum(['FP32', 'BOOL', 'INT32']),
      shape: z.array(z.int()),
      parameters: parameters.optional(),
      data: z
        .array(z.union([numberOrNull, z.boolean()]))
        .optional()
        .describe(
          `row by row; null is NaN or an infinity. crossed: [events, ${rows}, ${crossedColumns.join('/')}] ` +
            `of bits ${Object.entries(crossedBits)
              .map(([name, bit]) => `${bit} ${name}`)
              .join(', ')}`,
        ),
    }),
  ),
});

const duration = z.object({ count: z.int(), ns: z.int() });
const statistics = z.object({
  model_stats: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      last_inference: z.int().describe('ms since the epoch'),
      inference_count: z.int().describe('events'),
      execution_count: z.int().describe('batches'),
      inference_stats: z.record(z.string(), duration),
      batch_stats: z.array(z.unknown()),
    }),
  ),
});

const json = (description: string, schema: z.ZodType): object => ({
  description,
  content: { 'application/json': { schema: schemaOf(schema) } },
});
const error = (description: string): object => json(description, z.object({ error: z.string() }));
const bytes = { schema: { type: 'string', format: 'binary' } };

interface Route {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly response: Readonly<Record<string, object>>;
  readonly body?: object;
  readonly headers?: object;
}
const schema = ({ body, headers, ...rest }: Route): FastifySchema => ({
  ...rest,
  ...(body ? { body } : {}),
  ...(headers ? { headers } : {}),
});

const notFound = error('no such model or version');
const modelTags = ['Open Inference Protocol'];
const repositoryTags = ['Model repository'];
const ready = z.object({ ready: z.boolean() });
const modelConfig = z.looseObject({
  name: z.string(),
  platform: z.string(),
  backend: z.string(),
  max_batch_size: z.int(),
});

/** What the OpenAPI document says of each route. Nothing is validated by these: the protocol's own readers are faster. */
export const routeSchemas = {
  live: schema({
    summary: 'whether the server runs',
    tags: modelTags,
    response: { 200: json('it does', z.object({ live: z.literal(true) })) },
  }),
  ready: schema({
    summary: 'whether it takes requests: the model is loaded and warm',
    tags: modelTags,
    response: { 200: json('it does', ready), 503: json('not yet, or no more', ready) },
  }),
  server: schema({
    summary: 'name, version and extensions of the server',
    tags: modelTags,
    response: {
      200: json('metadata', z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })),
    },
  }),
  model: schema({
    summary: 'inputs and outputs of the model',
    tags: modelTags,
    response: {
      200: json(
        'metadata',
        z.object({
          name: z.string(),
          versions: z.array(z.string()),
          platform: z.string(),
          inputs: z.array(tensorMetadata),
          outputs: z.array(tensorMetadata),
        }),
      ),
      404: notFound,
    },
  }),
  modelReady: schema({
    summary: 'whether the model takes requests',
    tags: modelTags,
    response: { 200: json('it does', ready.extend({ name: z.string() })), 404: notFound },
  }),
  infer: schema({
    summary: 'scores of events',
    tags: modelTags,
    headers: {
      type: 'object',
      properties: {
        'inference-header-content-length': {
          type: 'integer',
          description: 'bytes of the JSON, where those of the tensor follow it',
        },
      },
    },
    body: { content: { 'application/json': { schema: schemaOf(inferRequest) }, 'application/octet-stream': bytes } },
    response: {
      200: {
        description: 'the outputs that were asked for, in JSON, or as bytes behind it',
        content: { 'application/json': { schema: schemaOf(inferAnswer) }, 'application/octet-stream': bytes },
      },
      400: error('what is wrong: the event, its slot and the field'),
      404: notFound,
      408: error('the request took too long to arrive'),
      413: error('the body is too large, or has too many events'),
      415: error('a Content-Encoding other than gzip and deflate'),
      422: error('under --out-of-domain refuse: the event and the boundaries that it crosses'),
      503: error('the queue is full, or the server stops; Retry-After says when to come back'),
      504: error('the answer took too long'),
    },
  }),
  config: schema({
    summary: "the model's configuration, as Triton's clients ask for it",
    tags: modelTags,
    response: { 200: json('configuration', modelConfig), 404: notFound },
  }),
  stats: schema({
    summary: 'counts and times since the model was loaded',
    tags: modelTags,
    response: { 200: json('statistics', statistics), 404: notFound },
  }),
  index: schema({
    summary: 'the models here: one',
    tags: repositoryTags,
    response: {
      200: json(
        'models',
        z.array(z.object({ name: z.string(), version: z.string(), state: z.string(), reason: z.string() })),
      ),
    },
  }),
  load: schema({
    summary: 'loads the bundle from its file again; requests go on meanwhile',
    tags: repositoryTags,
    response: {
      200: json('loaded', z.object({ name: z.string(), version: z.string() })),
      400: error('the file is no bundle that runs here; the model from before goes on'),
      404: notFound,
    },
  }),
  unload: schema({
    summary: 'always refused: the server has one model',
    tags: repositoryTags,
    response: { 400: error('refused') },
  }),
  figures: schema({
    summary: 'what the page at / shows: scores, domain, drift, anomalous events, and the figures of the server',
    tags: ['Watching'],
    response: {
      200: json(
        'figures',
        z.looseObject({
          time: z.string(),
          events: z.int(),
          server: z.looseObject({ requests: z.int(), queueEvents: z.int(), version: z.string() }),
        }),
      ),
    },
  }),
  metrics: schema({
    summary: 'metrics for Prometheus',
    tags: ['Watching'],
    response: { 200: { description: 'text', content: { 'text/plain': { schema: { type: 'string' } } } } },
  }),
} as const;
