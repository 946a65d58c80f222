#!/usr/bin/env node
try {
  const { main } = await import('../dist/src/cli/main.js');
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // of the program's own files: one is missing, or too many would be open
  process.stderr.write(`anomalyclr: cannot be started: ${String(error.message).split('\n')[0]}\n`);
  process.exitCode = 1;
}
