import { formatInspection, type Inspection, Inspector } from '../events/inspect.js';
import { openEvents, readEvents, type Reading } from './index.js';
import { formatSchemaReport, type SchemaReport } from './schema/report.js';

/** What is in a file, and what the schema did that it was read by. */
export interface FileInspection extends Inspection {
  readonly schema?: SchemaReport;
}

/**
 * Streams through a file and says what is in it.
 *
 * @param reading - `onBadEvent`: `'skip'` collects the problems of bad events, `'fail'` throws at the first.
 * @throws {@link AnomalyClrError} where the file cannot be read.
 */
export async function inspectFile(file: string, reading: Reading): Promise<FileInspection> {
  const source = await openEvents(file, reading);
  await source.close();
  const inspector = new Inspector(source.dataKind);
  const onSkip = (message: string) => inspector.problem(message);
  let schema: SchemaReport | undefined;
  const onSchema = (report: SchemaReport) => void (schema = report);
  for await (const batch of readEvents(file, { ...reading, onSkip, onSchema })) inspector.add(batch);
  const inspection = inspector.build({ file, rows: source.events, hasEventIds: source.hasEventIds });
  return { ...inspection, ...(schema ? { schema } : {}) };
}

/** The same as text. */
export function formatFileInspection(result: FileInspection): string {
  const { schema } = result;
  return [formatInspection(result), ...(schema ? ['', ...formatSchemaReport(schema)] : [])].join('\n');
}
