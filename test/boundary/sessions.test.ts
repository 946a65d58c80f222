import { testInChildren } from './child.js';
import { scenarios } from './sessions.js';

testInChildren('sessions', scenarios);
