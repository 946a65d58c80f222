import type { DataKindName } from '../../events/data-kinds.js';

/** How the branches of a file become objects. */
export interface EventSchema {
  readonly name: string;
  readonly data: DataKindName;
}
