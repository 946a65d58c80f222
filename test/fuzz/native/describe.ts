import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { calls } from '../../boundary/calls.js';
import { packageRoot } from '../../../src/addon.js';

/** The good arguments of every call of test/boundary, as C++ that makes them: what the boundary's fuzz target changes. */
export const describedFile = path.join(packageRoot(), 'test/fuzz/native/good_arguments.inc');

const width = 122;
const kinds: Record<string, string> = {
  Float32Array: 'f32', Float64Array: 'f64', Int32Array: 'i32', Uint8Array: 'u8', Uint32Array: 'u32',
}; // prettier-ignore

function typed(array: ArrayLike<number>): string {
  const kind = kinds[array.constructor.name];
  const numbers = Array.from(array);
  if (numbers.length > 8 && numbers.every(x => x === numbers[0]))
    return `${kind}(${numbers.length}, ${numbers[0].toPrecision(3)})`;
  if (numbers.length > 15 && kind.startsWith('f')) return `waves_${kind}(${numbers.length})`; // any will do
  return `${kind}({${numbers.map(x => (Number.isInteger(x) ? String(x) : String(Number(x.toPrecision(3))))).join(', ')}})`;
}

function made(value: unknown): string {
  if (typeof value === 'number') return `number(${value})`;
  if (typeof value === 'boolean') return value ? 'yes()' : 'no()';
  if (typeof value === 'string') return `text(${JSON.stringify(value)})`;
  if (ArrayBuffer.isView(value)) return typed(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return `array({${value.map(made).join(', ')}})`;
  const entries = Object.entries(value as object).map(([key, one]) => `{${JSON.stringify(key)}, ${made(one)}}`);
  return `object({${entries.join(', ')}})`;
}

/** Broken after commas, so that no line is too long. */
function folded(line: string): string {
  if (line.length <= width) return line;
  const at = line.lastIndexOf(', ', width) + 1;
  return `${line.slice(0, at)}\n${folded(`    ${line.slice(at).trimStart()}`)}`;
}

export function described(): string {
  const lines = Object.entries(calls()).map(([name, call]) =>
    folded(`{"${name}", [] { return ${made(call.good())}; }},`),
  );
  return ['// Made by `npx tsx test/fuzz/native/describe.ts` of test/boundary/calls.ts.', ...lines, ''].join('\n');
}

if (process.argv[1] === path.join(packageRoot(), 'test/fuzz/native/describe.ts'))
  writeFileSync(describedFile, described());
