/** What the HDF5 library complains of: the innermost line of its error stack tells most. */
export function hdf5Cause(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const system = /^ *#\d+: .*?\(\): ([^:]*): (?:time|name) = [^]*?error message = '([^']*)'/m.exec(text); // names the system's own reason
  if (system) return `${system[1]}: ${system[2]}`;
  return [...text.matchAll(/^ *#\d+: .*?\(\): (.*)$/gm)].at(-1)?.[1] ?? text.split('\n')[0];
}
