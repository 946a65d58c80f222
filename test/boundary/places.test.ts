import { testInChildren } from './child.js';
import { scenarios } from './places.js';

testInChildren('places', scenarios);
