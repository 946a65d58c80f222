// node --require: the addon is that of ANOMALYCLR_TEST_ADDON wherever one is loaded, in threads of Node.js too.
'use strict';
const { dlopen } = process;
const other = process.env.ANOMALYCLR_TEST_ADDON;
process.dlopen = (module, file, ...rest) => dlopen(module, /anomalyclr[^/]*\.node$/.test(file) ? other : file, ...rest);
