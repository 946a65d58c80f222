import { existsSync } from 'node:fs';
import { testInChildren } from './child.js';
import { emulated, scenarios } from './emulated.js';

if (existsSync(emulated)) testInChildren('emulated', scenarios);
else test.skip('failures of a GPU: the C++ tests, which bring one that the CPU plays, are not built', () => undefined);
