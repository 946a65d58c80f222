import { testInChildren } from './child.js';
import { scenarios } from './fuzz.js';

testInChildren('fuzz', scenarios);
