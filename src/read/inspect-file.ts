import { type Inspection, Inspector } from '../events/inspect.js';
import { openEvents, readEvents, type Reading } from './index.js';

/**
 * Streams through a file and says what is in it.
 *
 * @param reading - `onBadEvent`: `'skip'` collects the problems of bad events, `'fail'` throws at the first.
 * @throws {@link AnomalyClrError} where the file cannot be read.
 */
export async function inspectFile(file: string, reading: Reading): Promise<Inspection> {
  const source = await openEvents(file, reading);
  await source.close();
  const inspector = new Inspector(source.dataKind);
  const onSkip = (message: string) => inspector.problem(message);
  for await (const batch of readEvents(file, { ...reading, onSkip })) inspector.add(batch);
  return inspector.build({ file, rows: source.events, hasEventIds: source.hasEventIds });
}
