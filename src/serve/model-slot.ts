import { stat } from 'node:fs/promises';
import type { Bundle } from '../bundle/bundle.js';
import type { Card } from '../bundle/card.js';
import { dataKind } from '../events/data-kinds.js';
import { Kind } from '../events/objects.js';
import type { Lane } from './batcher.js';
import { Monitor } from './monitor.js';
import { ModelStatistics } from './statistics.js';

/** Opens the bundle in a file, as `openBundle` of src/bundle does with its options. */
export type BundleOpener = (file: string) => Promise<Bundle>;

/** A bundle that is open and warm. */
export interface Loaded extends Lane {
  /** Counts the loads up from 1. */
  readonly version: string;
  readonly card: Card;
  readonly monitor: Monitor;
  readonly statistics: ModelStatistics;
  /** Requests that are to be answered by it. */
  users: number;
}

/**
 * The model that is served. Another one takes its place without a request being dropped: the new one is opened and warm
 * before requests reach it, the old one closes when those that it has are answered.
 */
export class ModelSlot {
  private loaded: Loaded | undefined;
  private loads = 0;
  private loading: Promise<Loaded> | undefined;
  private next: Promise<Loaded> | undefined;
  private readonly retired = new Set<Loaded>();

  /**
   * @param maxBatch - largest batch that it has to be warm for
   */
  constructor(
    readonly file: string,
    private readonly open: BundleOpener,
    private readonly maxBatch: number,
  ) {}

  /** Undefined until the first load is done. */
  get current(): Loaded | undefined {
    return this.loaded;
  }

  /**
   * Opens the file anew and puts it in place. Calls that come while one is at work share the next.
   *
   * @throws AnomalyClrError where the file is no bundle that runs here; what was served before goes on
   */
  load(): Promise<Loaded> {
    if (!this.loading) {
      this.loading = this.replace().finally(() => (this.loading = undefined));
      return this.loading;
    }
    this.next ??= this.loading
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.load();
      });
    return this.next;
  }

  /** Keeps a model open for one request, until {@link release}. */
  acquire(model: Loaded): void {
    model.users += 1;
  }

  release(model: Loaded): void {
    model.users -= 1;
    if (model.users === 0 && this.retired.delete(model)) close(model);
  }

  /** Closes what is open. */
  async dispose(): Promise<void> {
    await this.loading?.catch(() => undefined);
    const open = [...this.retired, ...(this.loaded ? [this.loaded] : [])];
    this.retired.clear();
    this.loaded = undefined;
    await Promise.all(open.map(({ bundle }) => bundle.dispose()));
  }

  private async replace(): Promise<Loaded> {
    const bundle = await this.open(this.file);
    try {
      await warmUp(bundle, this.maxBatch);
    } catch (error) {
      await bundle.dispose();
      throw error;
    }
    const { card } = bundle;
    const [old, version] = [this.loaded, String(++this.loads)];
    const kept = { monitor: new Monitor(card), statistics: new ModelStatistics() };
    this.loaded = { bundle, card, version, ...kept, running: 0, users: 0 };
    if (old && old.users > 0) this.retired.add(old);
    else if (old) close(old);
    return this.loaded;
  }
}

/** Nobody waits for it, and a thread that is gone already is no fault. */
const close = ({ bundle }: Loaded): void => void bundle.dispose().catch(() => undefined);

/** An event like those to come: of collisions a MET and jets. [slots, 4] */
function commonEvent({ data }: Card['domain']): Float32Array {
  const objects = 8;
  const { kinds, raw } = dataKind(data);
  const [first, last] = [Kind[kinds[0]], Kind[kinds[kinds.length - 1]]];
  const event = new Float32Array(raw.slots * 4);
  for (let i = 0; i < objects; i++) event.set([50, 0, i - objects / 2, i === 0 ? first : last], i * 4);
  return event;
}

/** Runs batches of the sizes to come on every session, so that no request waits for memory or kernels to be set up. */
async function warmUp(bundle: Bundle, maxBatch: number): Promise<void> {
  const event = commonEvent(bundle.card.domain);
  for (const size of new Set([1, 2, 16, Math.min(256, maxBatch), maxBatch])) {
    const objects = new Float32Array(size * event.length);
    for (let e = 0; e < size; e++) objects.set(event, e * event.length);
    const runs = Array.from({ length: 2 * bundle.sessions }, (_, i) =>
      bundle.run(objects, size, event.length / 4, { representation: i % 2 === 0 }),
    );
    await Promise.all(runs);
  }
}

/**
 * Calls `changed` when the file is another one than before and has been left alone for one `interval`.
 *
 * @param interval - ms
 * @returns a function that ends the watch
 */
export function watchFile(file: string, changed: () => void, interval = 1000): () => void {
  let known: string | undefined;
  let seen: string | undefined;
  const look = async (): Promise<void> => {
    const now = await stat(file).then(
      ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
      () => undefined, // between two files, or gone: what is served stays
    );
    known ??= now;
    if (now !== undefined && now === seen && now !== known) {
      known = now;
      changed();
    }
    seen = now;
  };
  void look();
  const timer = setInterval(() => void look(), interval);
  timer.unref();
  return () => clearInterval(timer);
}
