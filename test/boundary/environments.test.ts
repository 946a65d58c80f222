import { testInChildren } from './child.js';
import { scenarios } from './environments.js';

testInChildren('environments', scenarios);
