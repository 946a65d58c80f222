import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import process from 'node:process';
import { addonSource, loadAddon, type DeviceFound } from '../addon.js';
import { examineProviders } from '../bundle/examine.js';
import type { DoctorOptions } from '../config/schema.js';
import { describeCuda, examineCuda } from '../engine/cuda.js';
import { openEngine } from '../engine/index.js';
import { AnomalyClrError } from '../errors.js';
import { cacheSummary, userCacheFolder } from '../read/cache/folder.js';
import { examineBackends } from '../ops/examine.js';
import type { Context } from './commands.js';

type Native =
  | ({ built: true; source: string } & ReturnType<ReturnType<typeof loadAddon>['info']>)
  | { built: false; problem: string };

interface Diagnosis {
  version: string;
  node: string;
  platform: string;
  cpu: { model: string; cores: number };
  /** Bytes. */
  memory: { total: number; free: number };
  native: Native;
  /** A GPU for the native engine; null without that. */
  cuda: DeviceFound | null;
  tfjs: Awaited<ReturnType<typeof examineBackends>>;
  /** ONNX Runtime, which runs bundles, on each `--provider`. */
  onnxruntime: Awaited<ReturnType<typeof examineProviders>>;
  /** What `--provider auto` takes; null where bundles can't be run. */
  provider: string | null;
  /** Packed copies of event files; `bytes` that they take. */
  cache: { folder: string; copies: number; bytes: number };
  /** What `--engine auto` takes. */
  engine: string;
}

/** `anomalyclr doctor`: what this machine has, what is used, what is missing and how to get it. */
export async function run(options: DoctorOptions, { output, version }: Context): Promise<void> {
  const onnxruntime = await examineProviders();
  const native = examineNative();
  const cuda = native.built ? await examineCuda() : null;
  const diagnosis: Diagnosis = {
    version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: { model: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism() },
    memory: { total: totalmem(), free: freemem() },
    native,
    cuda,
    tfjs: await examineBackends(),
    onnxruntime,
    provider: (['cuda', 'cpu'] as const).find(name => onnxruntime[name].works) ?? null,
    cache: { folder: userCacheFolder(), ...(await cacheSummary(userCacheFolder())) },
    engine: (await openEngine({ threads: options.threads, device: cuda?.available ? 'auto' : 'cpu' })).describe(),
  };
  if (options.json) output.json(diagnosis);
  else output.result(format(diagnosis));
}

function examineNative(): Native {
  try {
    const info = loadAddon().info();
    return { built: true, source: addonSource() ?? '', ...info };
  } catch (error) {
    if (!(error instanceof AnomalyClrError)) throw error;
    return { built: false, problem: error.message }; // which says how to mend it
  }
}

function format({
  version,
  node,
  platform,
  cpu,
  memory,
  native,
  cuda,
  tfjs,
  onnxruntime,
  provider,
  cache,
  engine,
}: Diagnosis): string {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const rows: [string, string][] = [
    ['anomalyclr', version],
    ['Node.js', `${node} on ${platform}`],
    ['CPU', `${cpu.model}, ${cpu.cores} cores`],
    ['memory', `${gib(memory.total)}, ${gib(memory.free)} free`],
  ];
  if (native.built)
    rows.push(
      ['native engine', `${native.version}, ${native.threads} threads, ${native.source}`],
      ['CPU features', native.features || 'none that the engine has code for'],
      ['CPU target', `${native.target}, of ${native.targets}`],
    );
  else rows.push(['native engine', `missing: ${native.problem}`]);
  if (cuda?.available) rows.push(['CUDA', `${describeCuda(cuda)}, ${gib(cuda.memory)}, ${gib(cuda.memoryFree)} free`]);
  else if (cuda) rows.push(['CUDA', `missing: ${cuda.why}`]);
  for (const [name, found] of Object.entries(tfjs.backends))
    rows.push([`TensorFlow.js ${name}`, found.works ? found.describe : `missing: ${found.missing}`]);
  for (const [name, found] of Object.entries(onnxruntime))
    rows.push([`ONNX Runtime ${name}`, found.works ? `version ${found.version}` : `missing: ${found.missing}`]);
  const copies = cache.copies === 1 ? '1 packed copy' : `${cache.copies} packed copies`;
  rows.push(['event files', `${copies} in ${cache.folder}, ${gib(cache.bytes)}`]);
  rows.push(['computes on', engine], ['runs bundles on', provider ?? 'nothing']);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
