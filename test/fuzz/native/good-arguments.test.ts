import { readFileSync } from 'node:fs';
import { described, describedFile } from './describe.js';

test('the fuzz target begins from the arguments that the addon takes', () => {
  // otherwise: npx tsx test/fuzz/native/describe.ts
  expect(readFileSync(describedFile, 'utf8')).toBe(described());
});
