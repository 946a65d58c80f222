import type { NamedFile } from '../config/option.js';
import { expandFiles } from '../read/file-list.js';

/** Options that name event files. */
interface EventFileOptions {
  readonly background?: readonly string[];
  readonly test?: readonly string[];
  readonly data?: readonly string[];
  readonly files?: readonly string[];
  readonly signal?: readonly NamedFile[];
  readonly shifted?: readonly NamedFile[];
}

/** The options of a command with lists and patterns of event files replaced by the files they mean. */
export async function withEventFiles<T extends object>(options: T): Promise<T> {
  const { background, test, data, files, signal, shifted } = options as EventFileOptions;
  const named = async (flag: string, given: readonly NamedFile[]): Promise<NamedFile[]> => {
    const all: NamedFile[] = [];
    for (const { name, file } of given)
      for (const one of await expandFiles([file], `${flag} ${name}`)) all.push({ name, file: one });
    return all;
  };
  return {
    ...options,
    ...(background ? { background: await expandFiles(background, '--background') } : {}),
    ...(test ? { test: await expandFiles(test, '--test') } : {}),
    ...(data ? { data: await expandFiles(data, '--data') } : {}),
    ...(files ? { files: await expandFiles(files, 'files') } : {}),
    ...(signal ? { signal: await named('--signal', signal) } : {}),
    ...(shifted ? { shifted: await named('--shifted', shifted) } : {}),
  };
}
