import { AnomalyClrError } from '../errors.js';
import { dataKind, type DataKindName } from '../events/data-kinds.js';
import type { EventFile } from './event-file.js';

/**
 * Refuses a file whose events are not what a model was trained on.
 *
 * @param domain - of the model; `data` left out says collisions
 * @throws AnomalyClrError in one line
 */
export function mustBeKnownTo(
  { data = 'event' }: { readonly data?: DataKindName | undefined },
  file: string,
  { dataKind: found }: Pick<EventFile, 'dataKind'>,
): void {
  if (found === data) return;
  const [given, known] = [found, data].map(name => dataKind(name).words.many);
  throw new AnomalyClrError(`${file}: holds ${given}, and the model was trained on ${known}; take a model of ${given}`);
}
