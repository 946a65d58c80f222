import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../addon.js';
import { AnomalyClrError } from '../errors.js';
import { html } from '../report/html.js';
import { pageStyle } from './page-style.js';

/** A file that makes the page at `/`, under the path that it must be served at. Needs no token: it holds no data. */
export interface PageFile {
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

/** Headers that go with each of the files. */
export const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;

/** Modules that the page loads, under `src`, and under `page/` of the server. */
const scripts = [
  'serve/page/main',
  'serve/page/dom',
  'serve/page/plots',
  'serve/page/event',
  'serve/page/panels',
  'report/html',
  'report/kinds',
  'report/verdicts',
] as const;

/**
 * The page at `/`: HTML, style sheet and scripts, all from this origin. The scripts ask `GET /live` each second.
 *
 * @throws AnomalyClrError where the scripts have not been built
 */
export async function pageFiles(): Promise<readonly PageFile[]> {
  const javascript = scripts.map(async name => ({
    path: `/page/${name}.js`,
    type: 'text/javascript; charset=utf-8',
    body: await readScript(name),
  }));
  return [
    { path: '/', type: 'text/html; charset=utf-8', body: page },
    { path: '/page/style.css', type: 'text/css; charset=utf-8', body: pageStyle },
    ...(await Promise.all(javascript)),
  ];
}

async function readScript(name: string): Promise<string> {
  const file = path.join(packageRoot(), 'dist', 'src', `${name}.js`);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new AnomalyClrError(`${file}: missing; build it with npm run build:ts`);
  });
  return text.replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

const panel = (id: string, title: string, note = '') =>
  html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    <p class="note" id="${id}-note">${note}</p>
    <div class="body"></div>
  </section>`;

const page = html`<!doctype html>
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <link rel="icon" href="data:," />
      <title>anomalyclr</title>
      <link rel="stylesheet" href="page/style.css" />
      <script type="module" src="page/serve/page/main.js"></script>
    </head>
    <body>
      <header>
        <div>
          <h1 id="name">anomalyclr</h1>
          <p class="note" id="about"></p>
        </div>
        <p id="state" role="status" data-state="waiting">connecting</p>
      </header>
      <noscript><p class="message">This page draws what the server sees, and needs JavaScript for it.</p></noscript>
      <form id="login" hidden>
        <label for="token">Bearer token of this server</label>
        <input id="token" type="password" autocomplete="off" spellcheck="false" required />
        <button>Connect</button>
        <p class="note" id="login-note"></p>
      </form>
      <main id="main" hidden>
        <dl id="figures" aria-label="Figures"></dl>
        <div class="columns">
          ${panel('scores', 'Scores')} ${panel('rate', 'Events per second')} ${panel('thresholds', 'Thresholds')}
          ${panel('domain', 'Outside the training domain')} ${panel('drift', 'Drift from the training sample')}
          ${panel('anomalies', 'Most anomalous recent events')}
        </div>
      </main>
    </body>
  </html> `.text;
