import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { cardSchema, type Card } from '../bundle/card.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { checkWritable, readText, writeAtomically } from '../files.js';
import { cardText, cardTitle } from './card-text.js';

/** The card as it lies beside its bundle. It belongs to the file of that name where the hash is that of the file. */
export const cardFileSchema = z.strictObject({
  bundle: z.string(),
  bytes: z.int().positive(),
  sha256: z.string(),
  card: cardSchema,
});

export interface BundlePlaces {
  readonly bundle: string;
  readonly json: string;
  readonly markdown: string;
}

/** Where a bundle and its card go. @throws UsageError for an --out that is not the name of an ONNX file */
export function placesOf(out: string): BundlePlaces {
  if (!/[^/\\]\.onnx$/i.test(out)) throw new UsageError(`--out: got ${out}, allowed: a name that ends in .onnx`);
  const stem = out.slice(0, -'.onnx'.length);
  return { bundle: out, json: `${stem}.json`, markdown: `${stem}.md` };
}

/**
 * Whether all can be written: asked before the work rather than after it.
 * @throws AnomalyClrError where it cannot, or where a file of the card's name is there that is no card
 */
export async function checkPlaces({ bundle, json, markdown }: BundlePlaces): Promise<void> {
  for (const file of [bundle, json, markdown]) {
    if (existsSync(file) && !statSync(file).isFile())
      throw new AnomalyClrError(`${file}: is a folder or a device, and a file of the bundle would have this name`);
    await checkWritable(file);
  }
  if (existsSync(json) && !/"format": ?"anomalyclr\.bundle\./.test(await readText(json))) throw inTheWay(json);
  if (existsSync(markdown) && !(await readText(markdown)).startsWith(cardTitle)) throw inTheWay(markdown);
}

const inTheWay = (file: string) =>
  new AnomalyClrError(`${file}: is there and is no card of a bundle; name another --out, or move it away`);

/**
 * Writes a bundle and its card. The bundle comes last: until that one rename the old file stands whole and its own card
 * is inside it, and a new file under its name means that the export went to its end. Killed in between, the two files
 * beside it are of a bundle that never came; their sha256 says so.
 */
export async function writeBundle(places: BundlePlaces, bytes: Uint8Array, card: Card): Promise<void> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const name = path.basename(places.bundle);
  const wrapper = { bundle: name, bytes: bytes.length, sha256, card } satisfies z.infer<typeof cardFileSchema>;
  await writeAtomically(places.json, `${JSON.stringify(wrapper, null, 2)}\n`);
  await writeAtomically(places.markdown, cardText(card, { file: name, sha256, bytes: bytes.length }));
  await writeAtomically(places.bundle, bytes);
}
