import { spawnSync } from 'node:child_process';

/**
 * What a Python program prints, with ANOMALYCLR_PYTHON where that names one; undefined where it fails, or where there is
 * no Python.
 */
export function python(args: readonly string[], input = '', cwd?: string): string | undefined {
  const { status, stdout } = runPython(args, input, cwd);
  return status === 0 ? stdout : undefined;
}

/** The same with its exit code, null where there is no Python, and with what it printed of a failure too. */
export function runPython(
  args: readonly string[],
  input = '',
  cwd?: string,
): { readonly status: number | null; readonly stdout: string } {
  return spawnSync(process.env['ANOMALYCLR_PYTHON'] ?? 'python3', args, {
    input,
    encoding: 'utf8',
    ...(cwd === undefined ? {} : { cwd }),
  });
}
