import { type LibraryProgram, LibraryThread } from '../../src/read/library-thread.js';

/** Does what its request says with a library that is none. */
const program: LibraryProgram = {
  module: 'node:path',
  limits: { maxOldGenerationSizeMb: 64 },
  source: `
serve((library, request) => {
  if (request.hang) for (;;);
  if (request.eat) for (const kept = []; ;) kept.push(new Array(1e5).fill({}));
  if (request.throws) throw request.throws === 'nothing' ? undefined : request.throws;
  if (request.exit) process.exit(3);
  return { value: request.say };
});`,
};

async function ask(request: object, seconds?: number): Promise<unknown> {
  const thread = LibraryThread.take(program);
  try {
    return await thread.ask(request, seconds);
  } finally {
    await LibraryThread.release(thread);
  }
}

test.each([
  ['hangs', { hang: true }, 'no answer in 1 s'],
  ['takes all memory', { eat: true }, /memory limit/],
  ['throws no error', { throws: 'a text' }, 'a text'],
  ['throws nothing', { throws: 'nothing' }, 'undefined'],
  ['ends', { exit: true }, 'the reader stopped'],
])('a library that %s ends with its thread, and the next file is read by another', async (_, request, message) => {
  await expect(ask(request, 'hang' in request ? 1 : 60)).rejects.toThrow(message);
  expect(await ask({ say: 'well' })).toBe('well');
});
