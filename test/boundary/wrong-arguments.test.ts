import { testInChildren } from './child.js';
import { scenarios } from './wrong-arguments.js';

testInChildren('wrong-arguments', scenarios);
