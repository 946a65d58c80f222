import { existsSync } from 'node:fs';
import { fake } from '../support/device.js';
import { testInChildren } from './child.js';
import { scenarios } from './device.js';

if (existsSync(fake)) testInChildren('device', scenarios);
else test.skip('the addon on a device: the C++ tests, which bring a fake of one, are not built', () => undefined);
