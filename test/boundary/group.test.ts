import { testInChildren } from './child.js';
import { scenarios } from './group.js';

testInChildren('group', scenarios);
