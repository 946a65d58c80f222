import { cutNames } from '../evaluate/cuts.js';
import { html, type Html } from './html.js';

/**
 * Every colour of the page, for light and dark screens. Hues after Okabe and Ito (methods, kinds of object) and Paul Tol
 * (signals), which remain apart for colour-blind readers; the dark ones are lifted to the same contrast.
 */
export const colours = {
  page: ['#fbfbfa', '#14171b'],
  panel: ['#ffffff', '#1b1f24'],
  text: ['#1c2127', '#e4e7eb'],
  muted: ['#58616c', '#a2acb8'],
  grid: ['#e3e6ea', '#30363e'],
  background: ['#868f99', '#8a95a2'],
  blue: ['#0068a8', '#5cb0f0'],
  orange: ['#c27a00', '#f0b040'],
  vermillion: ['#d1520a', '#ff8f5a'],
  green: ['#008a66', '#36c9a0'],
  purple: ['#a8528a', '#e29cc6'],
  olive: ['#7d7a18', '#d3cf5e'],
  slate: ['#4b5563', '#b6bfca'],
  wine: ['#8a1f56', '#e879ae'],
  teal: ['#2b8a80', '#5ed1c2'],
  indigo: ['#3f2f9c', '#a59af5'],
  sand: ['#96802a', '#dccb6c'],
  cyan: ['#2a86ad', '#82cfee'],
  rose: ['#c4566a', '#f29aa8'],
} as const satisfies Record<string, readonly [light: string, dark: string]>;
export type Colour = keyof typeof colours;

/** The light value, which stands for the colour in chart options until `chart` turns it into a CSS variable. */
export function ink(colour: Colour): string {
  return colours[colour][0];
}

/** How a curve or a group of points is drawn. The dash is a second cue beside the colour. */
export interface Style {
  readonly colour: Colour;
  /** Dash and gap lengths, px; none is a solid line. */
  readonly dash: readonly number[];
  readonly width: number;
}

const known: Record<string, Style> = {
  'raw-autoencoder': { colour: 'orange', dash: [7, 3], width: 1.75 },
  'raw-autoencoder-log': { colour: 'vermillion', dash: [2, 2], width: 1.75 },
  'untrained-encoder': { colour: 'green', dash: [8, 3, 2, 3], width: 1.75 },
  ...Object.fromEntries(cutNames.map(name => [name, { colour: 'purple', dash: [4, 3], width: 1.75 }])),
};
const spare: readonly Style[] = (['olive', 'slate', 'cyan', 'rose'] as const).map((colour, k) => ({
  colour,
  dash: [3 + 3 * k, 3],
  width: 1.75,
}));

/** The same style for a method wherever it appears: `ours` is blue and solid. */
export function methodStyle(method: string, ours: string, methods: readonly string[]): Style {
  if (method === ours) return { colour: 'blue', dash: [], width: 2.75 };
  if (Object.hasOwn(known, method)) return known[method];
  const strangers = methods.filter(m => m !== ours && !Object.hasOwn(known, m));
  return spare[Math.max(0, strangers.indexOf(method)) % spare.length];
}

const signalColours = ['wine', 'teal', 'indigo', 'sand', 'cyan', 'rose'] as const;

/** The same style for a signal wherever it appears; the background is grey. */
export function signalStyle(label: string, labels: readonly string[]): Style {
  if (label === 'background') return { colour: 'background', dash: [], width: 2 };
  const k = labels.filter(l => l !== 'background').indexOf(label);
  return {
    colour: signalColours[Math.max(0, k) % signalColours.length],
    dash: [[], [7, 3], [2, 2], [8, 3, 2, 3], [4, 3], [12, 4]][Math.max(0, k) % 6],
    width: 1.75,
  };
}

/** A legend in text, so that it can be read, wrapped and enlarged. */
export function legend(items: readonly { readonly label: string; readonly style: Style }[]): Html {
  return html`<ul class="legend">
    ${items.map(
      ({ label, style }) =>
        html`<li>
          <svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true">
            <path
              d="M1 4H27"
              stroke="var(--${style.colour})"
              stroke-width="${style.width + 0.5}"
              stroke-dasharray="${style.dash.join(' ')}"
            /></svg
          >${label}
        </li>`,
    )}
  </ul>`;
}

/** CSS custom properties of every colour, `index` 0 light, 1 dark. */
export function cssVariables(index: 0 | 1): string {
  return Object.entries(colours)
    .map(([name, values]) => `--${name}:${values[index]}`)
    .join(';');
}
