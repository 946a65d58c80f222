// node --import tsx test/boundary/run.ts MODULE SCENARIO: what testInChildren starts.
import type { Scenarios } from './child.js';

const [module, name] = process.argv.slice(2);
const { scenarios } = (await import(`./${module}.js`)) as { scenarios: Scenarios };
await scenarios[name]();
console.log('done');
