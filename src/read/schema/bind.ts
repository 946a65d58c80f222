import { closest } from 'fastest-levenshtein';
import { AnomalyClrError } from '../../errors.js';
import { show } from '../../files.js';
import type { BranchInfo } from './column-file.js';
import { type EventSchema, type ObjectRule, type Place, type Reference, branchesOf } from './schema.js';

const numeric = /^(?:u?int(?:8|16|32|64)|float(?:16|32|64)|bool)$/;

/**
 * Checks that a file has what a schema asks for: every branch, of numbers, in the shape that its use needs.
 *
 * @param where - the file, and in it the tree or group.
 * @returns the branches that are used, in the order of the schema
 * @throws AnomalyClrError naming the branch; where there is none of its name, the nearest
 */
export function bindSchema(schema: EventSchema, branches: readonly BranchInfo[], where: string): BranchInfo[] {
  const known = new Map(branches.map(branch => [branch.name, branch]));
  const find = (place: Place): BranchInfo => {
    const branch = known.get(place.branch);
    const fail = (what: string): never => {
      throw new AnomalyClrError(`${where}: branch ${show(place.branch)} ${what} (schema ${show(schema.name)})`);
    };
    if (!branch) {
      const names = [...known.keys()];
      const hint = names.length > 0 ? `the nearest is ${show(closest(place.branch, names))}` : 'it has no branches';
      return fail(`is not there; ${hint}`);
    }
    if (!numeric.test(branch.type)) return fail(`holds ${branch.type}, expected numbers`);
    checkColumn(branch, place.column, fail);
    return branch;
  };
  const perRow = (place: Place, what: string): BranchInfo => {
    const branch = find(place);
    if (isList(branch, place))
      throw new AnomalyClrError(
        `${where}: branch ${show(place.branch)} has a list per event; ${what}${which(branch)} (schema ${show(schema.name)})`,
      );
    return branch;
  };
  if (schema.id) {
    const { name, type } = perRow(schema.id, 'id takes one number');
    if (!/int/.test(type)) throw new AnomalyClrError(`${where}: branch ${show(name)} holds ${type}; id takes integers`);
  }
  for (const cut of schema.cuts)
    if ('any' in cut) cut.any.forEach(find);
    else perRow(cut, 'a cut on events takes one number, or stands in "any"');
  for (const rule of schema.objects) {
    const list = isList(find(rule.pt), rule.pt);
    for (const place of placesOf(rule))
      if (isList(find(place), place) && !list)
        throw new AnomalyClrError(
          `${where}: ${rule.kind}: branch ${show(place.branch)} has a list per event, and its pt ${show(rule.pt.branch)} one number${which(known.get(place.branch))} (schema ${show(schema.name)})`,
        );
  }
  return branchesOf(schema).flatMap(name => known.get(name) ?? []);
}

/** What to do where one number of several is meant. */
function which(branch: BranchInfo | undefined): string {
  return branch?.length !== undefined && branch.width === undefined ? ', which "column" picks' : '';
}

/** Whether a place has a list of numbers for each row, as told by its branch and column. */
export function isList(branch: BranchInfo, { column }: Place): boolean {
  return branch.list && (column === undefined || branch.width !== undefined);
}

function checkColumn({ width, length, list }: BranchInfo, column: number | undefined, fail: (what: string) => never) {
  const columns = width ?? (list ? length : undefined);
  if (width !== undefined && column === undefined) fail(`has ${width} numbers for each object; say which by "column"`);
  if (column === undefined) return;
  if (columns === undefined)
    fail(
      list
        ? 'has lists of different lengths, so it has no columns'
        : 'has one number for each event, so it has no columns',
    );
  else if (column >= columns) fail(`has ${columns} columns, from 0; ${column} is not one`);
}

/** All places that make an object, but for its pt's branch. */
function placesOf({ pt, eta, phi, mask, where }: ObjectRule): Place[] {
  const others = (one: Reference | undefined) => [one?.times, one?.minus].filter(other => typeof other === 'object');
  return [eta, phi, mask, ...where, ...[pt, eta, phi].flatMap(others)].filter(place => place !== undefined);
}
