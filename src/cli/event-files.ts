import type { NamedFile } from '../config/option.js';
import { expandFiles } from '../read/file-list.js';

/** Options that name event files. */
interface EventFileOptions {
  readonly background?: readonly string[];
  readonly data?: readonly string[];
  readonly files?: readonly string[];
  readonly signal?: readonly NamedFile[];
}

/** The options of a command with lists and patterns of event files replaced by the files they mean. */
export async function withEventFiles<T extends object>(options: T): Promise<T> {
  const { background, data, files, signal } = options as EventFileOptions;
  const signals: NamedFile[] = [];
  for (const { name, file } of signal ?? [])
    for (const one of await expandFiles([file], `--signal ${name}`)) signals.push({ name, file: one });
  return {
    ...options,
    ...(background ? { background: await expandFiles(background, '--background') } : {}),
    ...(data ? { data: await expandFiles(data, '--data') } : {}),
    ...(files ? { files: await expandFiles(files, 'files') } : {}),
    ...(signal ? { signal: signals } : {}),
  };
}
