import { closest } from 'fastest-levenshtein';
import * as z from 'zod';
import { UsageError } from '../errors.js';
import { explainIssue, show } from '../files.js';
import { looksLikeFile, readConfigFile } from './config-file.js';
import { broadRecipe } from './recipes/broad.js';
import { defaultRecipe } from './recipes/default.js';
import { jetRecipe } from './recipes/jet.js';
import { libraryRecipe, librarySizes } from './recipes/library.js';
import { paperRecipe } from './recipes/paper.js';

/** One augmentation and its numeric parameters; those left out take the native core's defaults. */
export interface Step {
  readonly augmentation: string;
  readonly [parameter: string]: string | number;
}

const stepSchema: z.ZodType<Step> = z.object({ augmentation: z.string().min(1) }).catchall(z.number());
const scenarioSchema = z.strictObject({
  name: z.string().min(1),
  weight: z.number().gt(0).default(1),
  steps: z.array(stepSchema).min(1),
});

/**
 * How the three views of an event are made: `anchor` is what the other two are compared with, `physical` must leave it
 * the same event, and one scenario of `anomalous`, drawn by weight, must make it another.
 */
export const recipeSchema = z.strictObject({
  name: z.string().min(1).default('custom'),
  anchor: z.array(stepSchema).default([]),
  physical: z.array(stepSchema),
  anomalous: z.array(scenarioSchema).min(1).max(1000),
});

export type Scenario = z.output<typeof scenarioSchema>;
export type Recipe = z.output<typeof recipeSchema>;

/** An augmentation as the native core describes it, which is the one truth about names and ranges. */
export interface AugmentationInfo {
  readonly name: string;
  /** `physical` keeps the event what it is, `selection` drops objects as a detector does, `anomalous` changes its physics. */
  readonly role: 'physical' | 'anomalous' | 'selection';
  /** The data kind that it is for, `event` or `jet`. It leaves the objects of others as they are. */
  readonly data: string;
  readonly help: string;
  readonly source: string;
  readonly params: readonly {
    readonly name: string;
    readonly default: number;
    readonly min: number;
    readonly max: number;
    readonly unit: string;
    readonly help: string;
  }[];
}

/** Recipes that a run can name. */
export const presets: Readonly<Record<string, Recipe>> = Object.fromEntries(
  [defaultRecipe, broadRecipe, paperRecipe, jetRecipe, ...librarySizes.map(libraryRecipe)].map(recipe => [
    recipe.name,
    recipeSchema.parse(recipe),
  ]),
);

/**
 * A recipe from a preset's name, a JSON or YAML file, or a plain object.
 *
 * @throws UsageError in one line: where, what was got and what is allowed
 * @example
 * const recipe = resolveRecipe(await loadRecipe('default'), catalogue);
 */
export async function loadRecipe(source: unknown): Promise<Recipe> {
  if (typeof source !== 'string') return parseRecipe(source, 'recipe');
  if (Object.hasOwn(presets, source)) return presets[source];
  if (looksLikeFile(source)) return parseRecipe(await readConfigFile(source), source);
  const names = Object.keys(presets);
  throw new UsageError(
    `recipe ${show(source)}: no such preset; the nearest is ${show(closest(source, names))}, or name a .json or .yaml file`,
  );
}

/** Checks the form of a recipe; {@link resolveRecipe} checks its augmentations. */
export function parseRecipe(value: unknown, where: string): Recipe {
  const result = recipeSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    const { issues } = result.error; // a misspelt key first: what it leaves missing only follows from it
    const first = issues.find(issue => issue.code === 'unrecognized_keys') ?? issues[0];
    throw new UsageError(`${where}: ${explainRecipeIssue(first)}`);
  }
  const names = result.data.anomalous.map(scenario => scenario.name);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new UsageError(`${where}: anomalous: two scenarios are called ${show(repeated)}`);
  return result.data;
}

function explainRecipeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return explainIssue(issue);
  const names = Object.keys((issue.path.length === 0 ? recipeSchema : scenarioSchema).shape);
  const at = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return `${at}unknown key ${show(issue.keys[0])}; the nearest valid name is ${show(closest(issue.keys[0], names))}`;
}

/**
 * Checks a recipe against what the native core can do and fills in every parameter, for the engine and for `config.json`.
 *
 * @param catalogue the addon's augmentations
 * @param data what the events are, where that is known
 * @throws UsageError for an augmentation of other data, an unknown augmentation or parameter (with the nearest name), a value out of range (with the
 * range and unit), or an anomalous augmentation where the event has to stay itself
 */
export function resolveRecipe(recipe: Recipe, catalogue: readonly AugmentationInfo[], data?: string): Recipe {
  const resolve = (steps: readonly Step[], where: string, roles?: readonly AugmentationInfo['role'][]): Step[] =>
    steps.map((step, i) => {
      const place = `recipe ${show(recipe.name)}: ${where}.${i}`;
      const info = augmentationOf(step, catalogue, place);
      if (data !== undefined && info.data !== data)
        throw new UsageError(
          `${place} (${step.augmentation}): acts on ${info.data}s, and the background holds ${data}s; take a recipe ` +
            `for ${data}s, or leave --recipe out`,
        );
      return resolveStep(step, info, place, roles);
    });
  return {
    name: recipe.name,
    anchor: resolve(recipe.anchor, 'anchor', ['physical', 'selection']),
    physical: resolve(recipe.physical, 'physical', ['physical', 'selection']),
    anomalous: recipe.anomalous.map(scenario => ({
      ...scenario,
      steps: resolve(scenario.steps, `anomalous ${show(scenario.name)}`),
    })),
  };
}

function augmentationOf(
  { augmentation }: Step,
  catalogue: readonly AugmentationInfo[],
  place: string,
): AugmentationInfo {
  const info = catalogue.find(one => one.name === augmentation);
  if (info) return info;
  const names = catalogue.map(one => one.name);
  throw new UsageError(
    `${place}: unknown augmentation ${show(augmentation)}; the nearest is ${show(closest(augmentation, names))}`,
  );
}

function resolveStep(
  { augmentation, ...given }: Step,
  info: AugmentationInfo,
  place: string,
  roles?: readonly AugmentationInfo['role'][],
): Step {
  const where = `${place} (${augmentation})`;
  if (roles && !roles.includes(info.role))
    throw new UsageError(`${where}: is ${info.role} and may stand only in a scenario of "anomalous"`);
  for (const [name, value] of Object.entries(given)) {
    const param = info.params.find(one => one.name === name);
    if (!param) {
      const names = info.params.map(one => one.name);
      const hint = names.length > 0 ? `the nearest is ${show(closest(name, names))}` : 'it takes none';
      throw new UsageError(`${where}: unknown parameter ${show(name)}; ${hint}`);
    }
    const { min, max, unit } = param;
    if (!(Number(value) >= min && Number(value) <= max))
      throw new UsageError(
        `${where}: ${name}: got ${show(value)}, allowed: ${min} to ${max}${unit === '' ? '' : ` ${unit}`}`,
      );
  }
  const defaults = Object.fromEntries(info.params.map(param => [param.name, param.default]));
  return { augmentation, ...defaults, ...given };
}
