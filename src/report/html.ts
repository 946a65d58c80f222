/** Markup that may stand in a page as it is. Made by {@link html}, or by `new Html` from text known to be safe. */
export class Html {
  constructor(readonly text: string) {}
}

/** What a template takes: markup stays, text is escaped, lists are joined, nothing is shown for null and false. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/**
 * A template literal whose values are escaped.
 *
 * @example
 * html`<td>${'a < b'}</td>`.text; // '<td>a &lt; b</td>'
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(strings.reduce((text, s, i) => text + render(values[i - 1]) + s));
}

function render(value: Content): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(render).join('');
  return escape(String(value));
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text made safe for element content and quoted attributes; control characters become U+FFFD. */
export function escape(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '\ufffd').replace(/[&<>"']/g, c => entities[c]);
}

/** A number for reading: `digits` significant ones, a dash where it is missing or not finite. */
export function number(value: number | undefined, digits = 3): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return grouped(String(value));
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return rounded.toExponential();
  return size >= 10 ** digits ? grouped(rounded.toFixed(0)) : rounded.toString();
}

/** Thousands set apart by narrow no-break spaces, from five digits on. */
function grouped(integer: string): string {
  return integer.length > 4 ? integer.replace(/\B(?=(\d{3})+$)/g, '\u202f') : integer;
}

/** One part of the page. `id` names it in the table of contents. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** A table in a box that scrolls by itself on narrow screens. The first column heads the rows; `head` may be empty. */
export function table(label: string, head: readonly Content[], rows: readonly (readonly Content[])[]): Html {
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">
    <table>
      ${
        head.length > 0 &&
        html`<thead>
          <tr>
            ${head.map(h => html`<th scope="col">${h}</th>`)}
          </tr>
        </thead>`
      }
      <tbody>
        ${rows.map(
          ([name, ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${cells.map(c => html`<td>${c}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
