import { testInChildren } from './child.js';
import { scenarios } from './mapped-file.js';

testInChildren('mapped-file', scenarios);
