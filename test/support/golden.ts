import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';
import { readSafetensors, type Tensor } from '../../src/model/safetensors.js';

const shared = process.env['ANOMALYCLR_SHARED'] ?? path.join(packageRoot(), '..', 'shared');

/** Where a golden file lies: in the shared folder, else its copy in test/golden; undefined where neither is. */
export function goldenPath(name: string): string | undefined {
  return [path.join(shared, 'golden', name), path.join(packageRoot(), 'test', 'golden', name)].find(existsSync);
}

/** `test`, or a skipped one whose name says why, where a golden file is not at hand. */
export function goldenTest(needs: string, name: string, body: () => Promise<void>): void {
  if (goldenPath(needs)) test(name, body);
  else test.skip(`${name} (${needs} is in the shared folder only: set ANOMALYCLR_SHARED)`, () => {});
}

/** How an addon is held against golden values. */
export interface Extent {
  /** Tolerance of float64; that of float32 is 1e-5. */
  readonly exact: number;
  /** Some cases alone, small ones, of every kind. */
  readonly small: boolean;
  /** Whether a row gives the same bits in a batch of any size. */
  readonly anyBatch: boolean;
  /** Tolerance of bf16, on representations and losses; left out, it is not looked at. */
  readonly bf16?: number;
}
/** That of the CPU engine. */
export const everything: Extent = { exact: 1e-10, small: false, anyBatch: true };

export class Golden {
  private constructor(
    readonly json: any,
    private readonly tensors: Map<string, Tensor>,
  ) {}

  static async load(stem: string): Promise<Golden> {
    const json = goldenPath(`${stem}.json`);
    const tensors = goldenPath(`${stem}.safetensors`);
    return new Golden(
      json ? JSON.parse(readFileSync(json, 'utf8')) : undefined,
      tensors ? (await readSafetensors(tensors)).tensors : new Map(),
    );
  }
  has(name: string): boolean {
    return this.tensors.has(name);
  }
  names(): string[] {
    return [...this.tensors.keys()];
  }
  shape(name: string): readonly number[] {
    return this.get(name).shape;
  }
  f64(name: string): Float64Array {
    return Float64Array.from(this.get(name).data as ArrayLike<number>);
  }
  ints(name: string): number[] {
    return Array.from(this.get(name).data as ArrayLike<number | bigint>, Number);
  }
  private get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`no golden tensor ${name}`);
    return tensor;
  }
}

/** Golden JSON writes nan and infinities as strings. */
export function goldenNumber(value: number | string): number {
  return typeof value === 'number' ? value : value === 'nan' ? NaN : value === 'inf' ? Infinity : -Infinity;
}

/** Largest difference relative to the largest value of the reference; not finite counts as infinite. */
export function worst(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) throw new Error(`${got.length} values, ${want.length} wanted`);
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < want.length; i++) {
    largest = Math.max(largest, Math.abs(want[i]));
    const d = Math.abs(got[i] - want[i]);
    difference = Number.isFinite(d) ? Math.max(difference, d) : Infinity;
  }
  return largest > 0 ? difference / largest : difference;
}
