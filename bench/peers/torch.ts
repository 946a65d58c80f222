import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../../src/addon.js';
import { AnomalyClrError } from '../../src/errors.js';
import { oneLine } from '../../src/files.js';
import type { Timed } from '../ask.js';
import { ratesOfCalls } from '../timing.js';

function python(args: readonly string[]): string {
  const program = process.env['ANOMALYCLR_PYTHON'] ?? 'python3';
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status === 0) return stdout.trim().split('\n').at(-1) ?? '';
  const last = (stderr ?? '').trim().split('\n').at(-1) ?? '';
  throw new AnomalyClrError(
    `${program}: ${oneLine(error?.message ?? last).slice(0, 200)}; ANOMALYCLR_PYTHON names another`,
  );
}

/** PyTorch on a GPU, in words. @throws AnomalyClrError where there is none */
export function findTorch(): string {
  const said = python([
    '-c',
    'import torch, h5py; print("torch", torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "")',
  ]);
  if (!/^torch \S+ \S/.test(said)) throw new AnomalyClrError(`${said.trim()} finds no GPU`);
  return said;
}

interface Answer {
  readonly call_us: readonly number[];
  readonly device_mb: number;
}

/** Times what a case asks of bench/peers/torch_cuda.py. */
export function timeTorch(asked: readonly string[], mode: string, batch: number, seconds: number): Timed {
  const at = (...parts: string[]): string => path.join(packageRoot(), ...parts);
  const data = at('sample', 'background_train.h5');
  const { call_us: times, device_mb: deviceMb } = JSON.parse(
    python([
      at('bench', 'peers', 'torch_cuda.py'),
      ...asked,
      '--mode', mode, '--data', data, '--batch', String(batch), '--seconds', String(seconds),
    ]), // prettier-ignore
  ) as Answer;
  const rates = ratesOfCalls(
    times.map(us => us / 1000),
    batch,
  );
  return { rates, backend: mode, threads: 1, peakRssMb: 0, deviceMb };
}
