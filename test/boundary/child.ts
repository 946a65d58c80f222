import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Things to try on the addon in a process of their own: a crash is then one failed test. */
export type Scenarios = Record<string, () => Promise<void>>;

const runner = fileURLToPath(new URL('run.ts', import.meta.url));

/** One test for each scenario of `module`, a file of this folder. */
export function testInChildren(module: string, scenarios: Scenarios): void {
  test.concurrent.each(Object.keys(scenarios))('%s', async name => {
    await expect(runInChild(module, name)).resolves.toBe('done');
  });
}

function runInChild(module: string, name: string): Promise<string> {
  const args = ['--expose-gc', '--import', 'tsx', runner, module, name];
  return new Promise((resolve, reject) =>
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (!error && stdout.endsWith('done\n')) return resolve('done');
      const how = error?.signal ? `died of ${error.signal}` : `ended with ${error?.code ?? 'nothing said'}`;
      const why = /^\w*Error.*: .*$/m.exec(stderr)?.[0] ?? `${stdout}${stderr}`;
      reject(new Error(`${how}: ${why}`));
    }),
  );
}
