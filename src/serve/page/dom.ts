type Attributes = Readonly<Record<string, string | number>>;
type Child = Node | string;

/** An HTML element. Text is always text, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** An SVG element. */
export function drawing<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** The element of the page with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** Where a panel of the page has its contents. */
export function bodyOf(panel: string): HTMLElement {
  return byId(panel).querySelector<HTMLElement>('.body') ?? byId(panel);
}

/** Changes the page only where the text differs, so that a selection or a reader's place is kept. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export interface Cell {
  readonly text: string;
  readonly style?: string;
}

/** Fills a table, made at the first call; later ones change the cells that differ. The first column heads the rows. */
export function fillTable(
  place: HTMLElement,
  caption: string,
  head: readonly string[],
  rows: readonly (readonly (Cell | string)[])[],
): void {
  let body = place.querySelector('tbody');
  if (!body) {
    const names = head.map(name => element('th', { scope: 'col' }, name));
    body = element('tbody');
    const table = element(
      'table',
      {},
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, ...names)),
    );
    table.append(body);
    place.replaceChildren(
      element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption }, table),
    );
  }
  while (body.rows.length > rows.length) body.deleteRow(-1);
  while (body.rows.length < rows.length) {
    const cells = head.map((_, k) => (k === 0 ? element('th', { scope: 'row' }) : element('td')));
    body.append(element('tr', {}, ...cells));
  }
  for (const [r, cells] of rows.entries())
    for (const [c, cell] of cells.entries()) {
      const { text, style = '' } = typeof cell === 'string' ? { text: cell } : cell;
      const node = body.rows[r].cells[c];
      setText(node, text);
      if (node.className !== style) node.className = style;
    }
}

/** A line in place of contents that there are none of. */
export function fillMessage(place: HTMLElement, text: string): void {
  if (place.firstElementChild?.className === 'message') setText(place.firstElementChild, text);
  else place.replaceChildren(element('p', { class: 'message' }, text));
}
