import { main } from '../../src/cli/main.js';

/** Runs the command line in this process, which spares its start. */
export async function anomalyclr(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const texts = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({ write: (text: string) => (texts[name] += text) });
  const code = await main(argv, { stdout: sink('stdout'), stderr: sink('stderr') });
  return { code, ...texts };
}
