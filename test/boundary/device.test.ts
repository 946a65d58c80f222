import { testInChildren } from './child.js';
import { hasFake, scenarios } from './device.js';

if (hasFake) testInChildren('device', scenarios);
else test.skip('the addon on a device: the C++ tests, which bring a fake of one, are not built', () => undefined);
