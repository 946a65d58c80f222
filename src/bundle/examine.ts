import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import process from 'node:process';
import { AnomalyClrError } from '../errors.js';
import { oneLine } from '../files.js';
import { getProvider, providerLists } from './session.js';
import { findRuntime } from './thread.js';

/** What there is of a provider; `missing` says why it does not work and how to add it. */
export type ProviderFound = { works: true; version: string } | { works: false; missing: string };
export type ProviderName = keyof typeof providerLists;

/** y = x + x of one float: the least that a provider must be able to do. */
const model = 'CAg6NwoOCgF4CgF4EgF5IgNBZGQSA2FkZFoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCAhAR';

const program = `
  const ort = require(process.argv[1]);
  ort.env.logLevel = 'fatal';
  (async () => {
    const options = { executionProviders: process.argv[2].split(',') };
    const session = await ort.InferenceSession.create(Buffer.from(process.argv[3], 'base64'), options);
    const { y } = await session.run({ x: new ort.Tensor('float32', [21], [1]) });
    if (y.data[0] !== 42) throw new Error('21 + 21 gives ' + y.data[0]);
    console.log(ort.env.versions.node);
  })().catch(error => { console.log('failed: ' + error.message); process.exit(1); });`;

/** Every provider that --provider names, tried out in another process, which a broken driver may take down. */
export async function examineProviders(): Promise<Record<ProviderName, ProviderFound>> {
  const names = Object.keys(providerLists) as ProviderName[];
  const found = await Promise.all(names.map(async name => [name, await tryOut(name)] as const));
  return Object.fromEntries(found) as Record<ProviderName, ProviderFound>;
}

async function tryOut(name: ProviderName): Promise<ProviderFound> {
  try {
    const file = fileURLToPath(findRuntime());
    const args = ['-e', program, file, providerLists[name].join(), model];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
    return { works: true, version: stdout.trim().split('\n').at(-1) ?? '' };
  } catch (error) {
    if (error instanceof AnomalyClrError) return { works: false, missing: error.message };
    const { stdout } = error as { stdout?: string };
    const said = /^failed: ([^]*)$/m.exec(stdout ?? '')?.[1] ?? (error as Error).message;
    const mend = name === 'cpu' ? '' : `; ${getProvider[name]}`;
    return { works: false, missing: `${oneLine(said).slice(0, 200)}${mend}` };
  }
}
