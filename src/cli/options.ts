import { Argument, Option, type Command } from 'commander';
import { listOptions, type OptionInfo } from '../config/parse.js';
import type { CommandName } from '../config/schema.js';
import { show } from '../files.js';

/** Gives `command` the flags and arguments of the schema of `name`, under the schema's headings. */
export function addOptions(command: Command, name: CommandName): void {
  for (const info of listOptions(name)) {
    if (info.takes === 'positional') command.addArgument(new Argument(`[${info.name}...]`, describe(info)));
    else for (const option of toOptions(info)) command.addOption(option.helpGroup(`${info.group}:`));
  }
}

/** The flags that stood on the command line, by camelCase name, with the positional arguments among them. */
export function givenFlags(command: Command, name: CommandName): Record<string, unknown> {
  const flags = Object.fromEntries(
    Object.entries(command.opts<Record<string, unknown>>()).filter(
      ([key]) => command.getOptionValueSource(key) === 'cli',
    ),
  );
  const positional = listOptions(name).find(info => info.takes === 'positional');
  return positional && command.args.length > 0 ? { ...flags, [positional.name]: command.args } : flags;
}

/** One option as flags; a switch gets its opposite too, unlisted, to overrule a configuration file. */
function toOptions(info: OptionInfo): Option[] {
  const { flag, argument, takes } = info;
  if (takes === 'none') {
    const on = new Option(`--${flag}`, describe(info));
    const off = new Option(`--no-${flag}`, info.default === true ? `don't ${info.help}` : '');
    return [on.hideHelp(info.default === true), off.hideHelp(info.default !== true)];
  }
  const value = { one: `<${argument}>`, many: `<${argument}...>`, optional: `[${argument}]` }[
    takes as 'one' | 'many' | 'optional'
  ];
  return [new Option(`--${flag} ${value}`, describe(info))];
}

/** Help with range, unit and default: `events of one step (a whole number, at least 2; in events; default 512)`. */
function describe(info: OptionInfo): string {
  const notes: string[] = [];
  if (info.takes === 'one' && /\s/.test(info.allowed) && !info.allowed.startsWith(`a ${info.argument}`))
    notes.push(info.allowed);
  if (info.unit !== undefined) notes.push(`in ${info.unit}`);
  if (info.required) notes.push('required');
  const shown = typeof info.default === 'string' ? info.default : show(info.default);
  if (info.default !== undefined && info.default !== false && shown !== '[]') notes.push(`default ${shown}`);
  return notes.length > 0 ? `${info.help} (${notes.join('; ')})` : info.help;
}
