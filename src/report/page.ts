import { type Content, html, Html, type Section } from './html.js';
import { cssVariables } from './palette.js';
import { style } from './style.js';

/** What a page is about, and its sections in order. */
export interface Page {
  readonly title: string;
  readonly heading: string;
  /** One line under the heading. */
  readonly about: Content;
  readonly sections: readonly Section[];
  /** Style sheet beyond that of all pages. */
  readonly style?: string;
}

/**
 * One HTML page that needs nothing else: charts are inline SVG, no script, no outside resource (its own content policy
 * forbids them). Light and dark follow the reader's setting.
 */
export function writePage({ title, heading, about, sections, style: more = '' }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          :root{${new Html(cssVariables(0))}}@media (prefers-color-scheme:dark){:root{${new Html(cssVariables(1))}}}${new Html(style + more)}
        </style>
      </head>
      <body>
        <header>
          <h1>${heading}</h1>
          <p>${about}</p>
          <nav aria-label="Contents">
            <ul>
              ${sections.map(one => html`<li><a href="#${one.id}">${one.title}</a></li>`)}
            </ul>
          </nav>
        </header>
        <main>
          ${sections.map(
            one =>
              html`<section id="${one.id}">
                <h2>${one.title}</h2>
                ${one.body}
              </section> `,
          )}
        </main>
      </body>
    </html> `.text;
}

/** 2025-01-31T12:00:00.000Z as 2025-01-31 12:00 UTC; anything else as it is. */
export function readableDate(date: string): string {
  return date.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d(\.\d+)?)?Z$/, '$1 $2 UTC');
}
