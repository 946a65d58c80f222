import vm from 'node:vm';
import type { LibraryProgram } from '../../../src/read/library-thread.js';

export type { LibraryProgram };

const chatter = ['log', 'info', 'warn', 'error', 'debug'] as const;

/**
 * Takes the place of src/read/library-thread.ts in the build that is fuzzed: the same programs, in this thread, where
 * their coverage is seen and a failure does not cost a tenth of a second. A library that hangs is given up, as the thread
 * is; one that takes all memory is left to the fuzzer to find.
 */
export class LibraryThread {
  private failed = false;
  private hung = false;
  private readonly given: Rows[] = [];

  private constructor(
    private readonly program: LibraryProgram,
    private readonly running: Promise<Running>,
  ) {}

  static take(program: LibraryProgram): LibraryThread {
    Object.assign(globalThis, { [unsteady]: false });
    const running = spares.get(program)?.pop() ?? start(program);
    return new LibraryThread(program, running);
  }

  async ask(request: object): Promise<unknown> {
    if (this.failed) throw new Error('the reader stopped');
    const { answer } = await this.running;
    const loud = Object.fromEntries(chatter.map(name => [name, console[name]]));
    for (const name of chatter) console[name] = () => undefined; // as in the thread of the product
    try {
      const { value, transfer = [] } = await within(async () => answer(structuredClone(request)));
      // as it crosses from one thread to another
      const { value: got } = structuredClone({ value }, { transfer });
      if ('name' in request && ArrayBuffer.isView(got)) this.compare(request as RowsAsked, got);
      return got;
    } catch (error) {
      this.failed = true;
      this.hung = (error as NodeJS.ErrnoException | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
      throw new Error(String((error as Error | null)?.message ?? error), { cause: error });
    } finally {
      Object.assign(console, loud);
    }
  }

  /** With what came before of the same rows. */
  private compare({ name, from, to }: RowsAsked, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
    const rows = { name, from, to, bytes: Buffer.from(buffer.slice(byteOffset, byteOffset + byteLength)) };
    const part = ({ from: begin, to: last, bytes }: Rows, first: number, end: number): Buffer => {
      const perRow = bytes.length / (last - begin);
      return bytes.subarray(perRow * (first - begin), perRow * (end - begin));
    };
    for (const before of this.given.filter(one => one.name === name)) {
      const [first, end] = [Math.max(before.from, from), Math.min(before.to, to)];
      if (first < end && !part(before, first, end).equals(part(rows, first, end)))
        Object.assign(globalThis, { [unsteady]: true });
    }
    this.given.push(rows);
  }

  static async release(used: LibraryThread): Promise<void> {
    const { answer, renew } = await used.running;
    if (!used.hung) await within(async () => answer({})).catch(() => (used.failed = true));
    if (used.failed) await renew(used.hung);
    spares.set(used.program, [...(spares.get(used.program) ?? []), used.running]);
  }
}

/** Rows of a dataset of HDF5 as they were asked for. */
interface RowsAsked {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}
interface Rows extends RowsAsked {
  readonly bytes: Buffer;
}

/** The global that oracle.ts asks whether a library gave other numbers for rows that it gave before. */
const unsteady = 'anomalyclrUnsteady';
/** ms; the product waits twelve times as long. */
const hang = 10_000;
const place = 'anomalyclrWithin';
const script = new vm.Script(`globalThis.${place}()`);

/** Does what waits for nothing but its turn. */
const { _tickCallback: takeTurns } = process as unknown as { readonly _tickCallback: () => void };

/** What `work` gives; it ends where one stretch, from its beginning or a wait to the next, takes longer than `hang`. */
async function within<T>(work: () => Promise<T>): Promise<T> {
  const settled: Promise<T>[] = [];
  const begin = (): void => {
    const working = work();
    const note = (): void => void settled.push(working);
    working.then(note, note);
  };
  for (let step = begin; settled.length === 0; step = () => undefined) await stretch(step);
  return settled[0];
}

/** In a turn of its own, since there are no turns within turns. */
function stretch(step: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      const both = (): void => {
        step();
        takeTurns();
      };
      Object.assign(globalThis, { [place]: both });
      try {
        script.runInThisContext({ timeout: hang });
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
}

interface Answer {
  readonly value: unknown;
  readonly transfer?: ArrayBuffer[];
}
interface Running {
  readonly answer: (request: object) => Answer | Promise<Answer>;
  readonly renew: (hung: boolean) => Promise<void>;
}
/** A module of build/fuzz/readers/programs: a library program as it was written there, with its libraries. */
interface ProgramModule {
  readonly libraries: readonly unknown[];
  readonly run: (
    serve: (work: (library: unknown, request: object) => Answer | Promise<Answer>, prepare?: Prepare) => void,
  ) => void;
  readonly renew?: () => Promise<void>;
}
type Prepare = (...libraries: readonly unknown[]) => unknown;

const spares = new Map<LibraryProgram, Promise<Running>[]>();
/** HDF5 leaks the handles of what failed; its library is begun anew after so many, since that takes a while. */
const failuresBorne = 100;

async function start({ module }: LibraryProgram): Promise<Running> {
  const file = new URL(`../../programs/${module.replaceAll(/\W/g, '-')}.mjs`, import.meta.url);
  const { libraries, run, renew } = (await import(file.href)) as ProgramModule;
  const serving: { work: Parameters<Parameters<ProgramModule['run']>[0]>[0]; library: unknown }[] = [];
  run((work, prepare = library => library) => void serving.push({ work, library: prepare(...libraries) }));
  if (serving.length === 0) throw new Error(`${module}: its program does not serve`);
  const [{ work }] = serving;
  const library = await serving[0].library;
  let failures = 0;
  return {
    answer: request => work(library, request),
    renew: async hung => {
      failures += 1;
      if (hung || failures % failuresBorne === 0) await renew?.();
    },
  };
}
