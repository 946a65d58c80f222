import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { loadAddon } from '../../src/addon.js';
import type { Scenarios } from './child.js';
import { detached } from './fields.js';
import { outcome, refused } from './wrong-arguments.js';

const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 251));

/** Runs with a file of {@link bytes} in a folder of its own. */
async function withFile(run: (file: string, folder: string) => unknown): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'anomalyclr-mapped-'));
  const file = path.join(folder, 'file.bin');
  writeFileSync(file, bytes);
  try {
    await run(file, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const open = (file: string) => new (loadAddon().MappedFile)({ file });
const collect = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await setImmediate();
  }
};

export const scenarios: Scenarios = {
  'any stretch of a file is what the file holds': () =>
    withFile(file => {
      const mapped = open(file);
      assert.equal(mapped.size(), bytes.length);
      for (const from of [0, 1, 4095, 4096, 4097, 8192, 19_999, 20_000])
        for (const to of [from, from + 1, from + 5000, bytes.length])
          if (to >= from && to <= bytes.length)
            assert.ok(Buffer.from(mapped.bytes({ from, to })).equals(bytes.subarray(from, to)), `${from} ${to}`);
    }),
  'a stretch outlives its file, its name and its MappedFile': () =>
    withFile(async file => {
      let mapped: ReturnType<typeof open> | undefined = open(file);
      const kept = Array.from({ length: 50 }, (_, i) => new Uint8Array(mapped!.bytes({ from: i, to: bytes.length })));
      mapped.dispose();
      assert.equal(mapped.dispose(), undefined);
      assert.throws(() => mapped!.bytes({ from: 0, to: 1 }), /disposed/);
      assert.throws(() => mapped!.size(), /disposed/);
      assert.throws(() => mapped!.unchanged(), /disposed/);
      mapped = undefined;
      rmSync(file);
      writeFileSync(file, 'another');
      await collect();
      for (const [i, one] of kept.entries()) assert.ok(Buffer.from(one).equals(bytes.subarray(i)));
    }),
  'what is written into a stretch stays in it': () =>
    withFile(async file => {
      const mapped = open(file);
      const [one, other] = [0, 0].map(from => new Uint8Array(mapped.bytes({ from, to: bytes.length })));
      one.fill(255);
      await collect();
      assert.ok(one.every(byte => byte === 255));
      assert.ok(bytes.equals(other));
      assert.ok(bytes.equals(readFileSync(file)));
      assert.equal(mapped.unchanged(), true);
    }),
  'a file that was cut, grew or was written is known': async () => {
    for (const change of [
      (file: string) => truncateSync(file, 100),
      (file: string) => appendFileSync(file, 'x'),
      (file: string) => writeFileSync(file, bytes),
    ])
      await withFile(async file => {
        const mapped = open(file);
        assert.equal(mapped.unchanged(), true);
        await new Promise(resolve => setTimeout(resolve, 20)); // the clock of a file system may be coarse
        change(file);
        assert.equal(mapped.unchanged(), false);
        assert.throws(() => mapped.bytes({ from: 0, to: 10 }), { code: 'UNAVAILABLE', message: /changed/ });
      });
  },
  'only files can be mapped': () =>
    withFile(async (file, folder) => {
      execFileSync('mkfifo', [path.join(folder, 'pipe')]);
      writeFileSync(path.join(folder, 'empty'), '');
      for (const wrong of [
        folder,
        path.join(folder, 'pipe'),
        '/dev/zero',
        '/dev/null',
        path.join(folder, 'none'),
        `${file}\0`,
      ])
        await refused(wrong, () => open(wrong));
      const empty = open(path.join(folder, 'empty'));
      assert.equal(empty.size(), 0);
      assert.equal(empty.bytes({ from: 0, to: 0 }).byteLength, 0);
      await refused('a byte of nothing', () => empty.bytes({ from: 0, to: 1 }));
    }),
  'stretches may be detached, copied and sent': () =>
    withFile(async file => {
      const mapped = open(file);
      const copied = structuredClone(mapped.bytes({ from: 5, to: 9000 }));
      assert.ok(Buffer.from(copied).equals(bytes.subarray(5, 9000)));
      await outcome(() => detached(new Uint8Array(mapped.bytes({ from: 0, to: 9000 }))));
      const { port1, port2 } = new MessageChannel();
      const sent = new Uint8Array(mapped.bytes({ from: 0, to: 9000 }));
      const arrived = new Promise<Uint8Array>(resolve => port2.once('message', resolve));
      if ((await outcome(() => port1.postMessage(sent, [sent.buffer]))) === 'value')
        assert.ok(Buffer.from(await arrived).equals(bytes.subarray(0, 9000)));
      port1.close();
      await collect();
    }),
  'methods refuse any other this, and the class any call': () =>
    withFile(async file => {
      const { MappedFile, Scorer } = loadAddon();
      const mapped: any = open(file);
      const others = [
        undefined,
        null,
        0,
        {},
        Object.create(mapped),
        new Proxy(mapped, {}),
        MappedFile,
        Scorer.prototype,
      ];
      for (const method of ['size', 'unchanged', 'bytes', 'dispose'] as const)
        for (const self of others)
          if (method !== 'dispose')
            await refused(method, () => MappedFile.prototype[method].call(self as never, { from: 0, to: 1 }));
          else await outcome(() => MappedFile.prototype.dispose.call(self as never));
      assert.equal(mapped.size(), bytes.length);
      for (const self of [undefined, {}, mapped])
        await refused('a call', () => (MappedFile as any).call(self, { file }));
    }),
  'a getter that disposes of the file, or cuts it': () =>
    withFile(async file => {
      const mapped = open(file);
      const from = { get from() { mapped.dispose(); globalThis.gc?.(); return 3; }, to: 9000 }; // prettier-ignore
      assert.ok(Buffer.from(mapped.bytes(from)).equals(bytes.subarray(3, 9000)));
      const cut = open(file);
      const to = { from: 0, get to() { truncateSync(file, 10); return 9000; } }; // prettier-ignore
      await refused('a file cut meanwhile', () => cut.bytes(to));
    }),
  'memory is given back between turns of the event loop': () =>
    withFile(async file => {
      writeFileSync(file, Buffer.alloc(2 ** 23, 1));
      const mapped = open(file);
      const begin = process.memoryUsage.rss();
      let most = 0;
      for (let i = 0; i < 200; i++) {
        const all = new Uint8Array(mapped.bytes({ from: 0, to: 2 ** 23 }));
        for (let at = 0; at < all.length; at += 4096) all[at] = i; // a page of its own each
        await setImmediate();
        most = Math.max(most, process.memoryUsage.rss() - begin);
      }
      assert.ok(most < 400e6, `${most} bytes of 1.7e9 that were mapped`);
    }),
};
