import * as z from 'zod';
import {
  choice,
  files,
  jsonOutput,
  optional,
  optionalFiles,
  optionalNamedFiles,
  path,
  real,
  required,
  toggle,
  whole,
} from './option.js';
import { common, reading, runFolder, bundleFile, engine, inference, outOfDomain } from './options-shared.js';

export const exportOptions = z.strictObject({
  model: runFolder,
  out: required({ group: 'Input and output', argument: 'file', help: 'ONNX file for the bundle' }),
  background: optionalFiles({
    group: 'Input and output',
    help: 'event files of background that set the thresholds; none is the events that training held back',
  }),
  signal: optionalNamedFiles({
    group: 'Input and output',
    help: 'event file of a signal under its name, to tell what another precision than f32 changes; repeat for more',
  }),
  triton: optional({ group: 'Input and output', argument: 'folder', help: 'folder for a Triton model repository too' }),
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print the model card as JSON' }),
  part: choice({
    group: 'Detector',
    of: ['scorer', 'encoder'],
    default: 'scorer',
    help: 'the whole way to a score, or to the representation alone',
  }),
  inputRate: real({
    group: 'Detector',
    min: 0,
    default: 0,
    unit: 'kHz',
    help: 'rate of events that reach the model, to give thresholds as trigger rates; 0 is unknown',
  }),
  name: path({
    group: 'Input and output',
    argument: 'text',
    default: 'anomalyclr',
    help: 'name of the model, for its card and for servers',
  }),
  licence: path({
    group: 'Input and output',
    argument: 'text',
    default: 'not stated',
    help: 'licence of the model, for its card',
  }),
  precision: choice({
    group: 'Machine',
    of: ['f32', 'f16', 'bf16', 'int8'],
    default: 'f32',
    help: 'numbers of the encoder: f16 computes in them, bf16 stores weights in them, int8 both in matrix products',
  }),
  layout: choice({
    group: 'Machine',
    of: ['packed', 'padded'],
    default: 'packed',
    help: 'dense layers over real objects alone, or over every slot, for compilers that want fixed shapes',
  }),
  ...reading,
  ...engine,
  ...common,
});

export const verify = z.strictObject({
  bundles: files({ group: 'Input and output', positional: true, help: 'ONNX files of bundles' }),
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print as JSON' }),
  ...inference,
  ...common,
});

export const serve = z.strictObject({
  model: bundleFile,
  name: path({ group: 'Server', argument: 'text', default: 'anomalyclr', help: 'name of the model in addresses' }),
  host: path({ group: 'Server', argument: 'address', default: '127.0.0.1', help: 'address to listen on' }),
  port: whole({ group: 'Server', min: 0, max: 65_535, default: 8000, help: 'port to listen on; 0 is any free one' }),
  maxBatch: whole({
    group: 'Server',
    min: 1,
    max: 65_536,
    default: 512,
    unit: 'events',
    help: 'most events of several requests that are scored together',
  }),
  latencyBudget: real({
    group: 'Server',
    min: 0,
    max: 1000,
    default: 0.5,
    unit: 'ms',
    help: 'how long a request may wait for others to be scored with it, where nothing else holds it up',
  }),
  queue: whole({
    group: 'Server',
    min: 1,
    default: 16_384,
    unit: 'events',
    help: 'most events that wait; a request beyond gets 503',
  }),
  maxEvents: whole({
    group: 'Server',
    min: 1,
    max: 1_000_000,
    default: 8192,
    unit: 'events',
    help: 'most events of one request',
  }),
  maxRequest: real({ group: 'Server', above: 0, max: 2000, default: 32, unit: 'MB', help: 'largest request body' }),
  timeout: real({
    group: 'Server',
    above: 0,
    max: 3600,
    default: 10,
    unit: 'seconds',
    help: 'how long a request may take to arrive, and how long to be answered',
  }),
  grace: real({
    group: 'Server',
    min: 0,
    max: 3600,
    default: 10,
    unit: 'seconds',
    help: 'how long a stop waits for requests under way',
  }),
  tokenFile: optional({
    group: 'Server',
    argument: 'file',
    help: 'file with the bearer token that requests must carry',
  }),
  tlsCert: optional({ group: 'Server', argument: 'file', help: 'certificate (PEM), to serve HTTPS; with --tls-key' }),
  tlsKey: optional({ group: 'Server', argument: 'file', help: 'its private key (PEM)' }),
  watch: toggle({ group: 'Server', help: 'load the bundle again whenever its file changes' }),
  logLevel: choice({
    group: 'Server',
    of: ['info', 'debug', 'warn', 'error', 'silent'],
    default: 'info',
    help: 'least severe line of the log; debug has one for each request',
  }),
  outOfDomain,
  ...inference,
  ...common,
});
