// node --import tsx test/boundary/run.ts MODULE [SCENARIO] [--but=SCENARIO]...: what testInChildren starts; without a
// scenario all of them one after another, but those left out, as scripts/test-sanitize.cjs has it.
import assert from 'node:assert/strict';
import type { Scenarios } from './child.js';

const [module, ...rest] = process.argv.slice(2);
const { scenarios } = (await import(`./${module}.js`)) as { scenarios: Scenarios };
const but = rest.filter(word => word.startsWith('--but=')).map(word => word.slice('--but='.length));
const named = rest.filter(word => !word.startsWith('--but='));
for (const name of [...but, ...named]) assert.ok(name in scenarios, `${module} has no scenario "${name}"`);
for (const name of named.length > 0 ? named : Object.keys(scenarios)) {
  if (but.includes(name)) continue;
  try {
    await scenarios[name]();
  } catch (error) {
    console.error(`${module}: ${name}`);
    throw error;
  }
}
console.log('done');
