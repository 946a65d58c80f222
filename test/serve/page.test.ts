import { existsSync, writeFileSync } from 'node:fs';
import pino from 'pino';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Card } from '../../src/bundle/card.js';
import { openBundle } from '../../src/bundle/open.js';
import { padEvents } from '../../src/bundle/pad.js';
import { commandSchemas } from '../../src/config/schema.js';
import { range } from '../../src/events/event-batch.js';
import type { LiveAnswer } from '../../src/serve/live.js';
import { openServer, type RunningServer } from '../../src/serve/server.js';
import { temporaryFolder } from '../read/craft.js';
import { runtimeInstalled, type SmallBundle, writeBundle } from '../support/bundle.js';

const names = ['chromium', 'chromium-browser', 'google-chrome'].map(name => `/usr/bin/${name}`);
const executablePath = [process.env['ANOMALYCLR_CHROMIUM'] ?? '', ...names].find(
  path => path !== '' && existsSync(path),
);
if (executablePath === undefined)
  console.log('no Chromium here (set ANOMALYCLR_CHROMIUM to one): the page is not tried in a real browser');
const inBrowser = executablePath !== undefined && runtimeInstalled ? test : test.skip;
const args =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split(
    ' ',
  );

const hostile = `<img src=x onerror="document.title='owned'"> & 'quotes' </script>`;
const at = temporaryFolder();
let bundle: SmallBundle;
let browser: Browser;
let server: RunningServer | undefined;
let page: Page;
let said: string[];

/** Thresholds among the reference scores, so that some events pass. */
function withThresholds(card: Card): Card {
  const scores = card.reference.events.map(event => event.score ?? 0).sort((a, b) => a - b);
  const share = { events: 1000, passed: 10, efficiency: { value: 0.01, low: 0.005, high: 0.018 } };
  const threshold = (rate: '1e-2' | '1e-3', score: number) => ({
    rate,
    threshold: score,
    calibration: share,
    check: share,
    triggerRate: null,
  });
  const thresholds = [threshold('1e-2', scores[4]), threshold('1e-3', scores[7])];
  const calibration = { files: [], heldBack: true, events: 2000, inputRate: null, thresholds, missing: [] };
  return { ...card, calibration, training: { ...card.training, loss: hostile } };
}

async function start(options: Record<string, unknown> = {}): Promise<RunningServer> {
  const parsed = commandSchemas.serve.parse({ model: at('bundle.onnx'), port: 0, ...options });
  return openServer(parsed, {
    open: file => openBundle(file, { sessions: 1, threads: 1 }),
    version: '0.0.0',
    log: pino({ level: 'silent' }),
  });
}

/** Sends events of the bundle's own sample, in one request. */
async function send(from: number, to: number, change = (objects: Float32Array) => objects): Promise<void> {
  const { objects, events, slots } = padEvents(range(bundle.events, from, to));
  const data = Array.from(change(objects));
  const inputs = [{ name: 'objects', datatype: 'FP32', shape: [events, slots, 4], data }];
  const answer = await fetch(`${server!.url}/v2/models/anomalyclr/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs }),
  });
  expect(answer.status).toBe(200);
}

async function open(view: { width: number; height: number; dark?: boolean }): Promise<void> {
  const { width, height, dark = false } = view;
  page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
  said = [];
  page.on('console', message => void said.push(message.text()));
  page.on('pageerror', error => void said.push(error.message));
  await page.goto(server!.url);
}

const live = async () => (await (await fetch(`${server!.url}/live`)).json()) as LiveAnswer;
const text = (selector: string) => page.locator(selector).innerText();

beforeAll(async () => {
  if (executablePath === undefined || !runtimeInstalled) return;
  bundle = await writeBundle(at('bundle.onnx'), { name: hostile, change: withThresholds });
  browser = await chromium.launch({ executablePath, args });
});
afterEach(async () => {
  await page?.close();
  await server?.stop();
  server = undefined;
});
afterAll(async () => browser?.close());

inBrowser('before the first event it says that there were none', async () => {
  server = await start();
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#state[data-state=idle]');
  expect(await text('#scores .message')).toMatch(/No events yet/);
  expect(await text('#anomalies .message')).toMatch(/No events yet/);
  expect(await page.locator('#thresholds tbody tr').count()).toBe(2);
  expect(said).toEqual([]);
});

inBrowser('it draws what the server has seen, and moves with it', async () => {
  server = await start();
  await send(0, 300);
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#state[data-state=live]');
  expect(await page.locator('#scores svg .bar').count()).toBeGreaterThan(5);
  expect(await page.locator('#scores svg .bar.beyond').count()).toBeGreaterThan(0);
  expect(await page.locator('#scores svg .threshold').count()).toBe(2);
  expect(await text('#drift')).toMatch(/jets per event/);

  const { anomalies } = await live();
  expect(anomalies).toHaveLength(12);
  const figures = page.locator('#anomalies figure');
  expect(await figures.count()).toBe(12);
  for (const [k, event] of anomalies.entries()) {
    expect(await figures.nth(k).locator('svg .mark').count()).toBe(event.objects.length);
    const jets = event.objects.filter(one => one.kind === 'jet').length;
    expect(await figures.nth(k).locator('svg .mark.jet').count()).toBe(jets);
    expect(await figures.nth(k).locator('details li').count()).toBe(event.objects.length + event.crossed.length);
  }

  const before = await page.locator('#rate svg path').getAttribute('d');
  await send(300, 400);
  await page.waitForFunction(old => document.querySelector('#rate svg path')?.getAttribute('d') !== old, before);
  await page.waitForFunction(() => document.querySelector('#figures')?.textContent?.includes('400 since the start'));
  expect(said).toEqual([]);
});

inBrowser('a list that was opened stays open, and events outside the domain are named', async () => {
  server = await start();
  await send(0, 200);
  await send(0, 40, objects => objects.map((value, k) => (k % 4 === 0 ? 50 * value : value)));
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#domain tbody tr');
  expect(await text('#domain tbody')).toMatch(/(jet|MET) pT above \d/);
  const list = page.locator('#anomalies details').first();
  await list.locator('summary').click();
  const { requests } = (await live()).server;
  await page.waitForResponse(answer => answer.url().endsWith('/live'));
  await page.waitForResponse(answer => answer.url().endsWith('/live'));
  expect(requests).toBeGreaterThan(1);
  expect(await list.getAttribute('open')).not.toBeNull();
  expect(said).toEqual([]);
});

inBrowser('names from the card are text', async () => {
  server = await start();
  await send(0, 20);
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#state[data-state=live]');
  expect(await text('#name')).toBe(hostile);
  expect(await text('#about')).toContain(hostile);
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.title()).toBe(`${hostile} · anomalyclr`);
  expect(said).toEqual([]);
});

inBrowser('a server with a token asks for it, says when it is wrong, and keeps it for the tab', async () => {
  writeFileSync(at('token'), 'abcdefghijklmnopqrstuvwxyz0123456789\n');
  server = await start({ tokenFile: at('token') });
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#login:not([hidden])');
  expect(await page.locator('#main').isHidden()).toBe(true);
  await page.fill('#token', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#login-note')?.textContent?.includes('refused'));
  await page.fill('#token', 'abcdefghijklmnopqrstuvwxyz0123456789');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#state[data-state=idle]');
  expect(await page.locator('#login').isHidden()).toBe(true);
  await page.reload();
  await page.waitForSelector('#state[data-state=idle]');
  expect(page.url()).not.toContain('abc');
});

inBrowser('a hidden page asks for nothing, and goes on when it is seen again', async () => {
  server = await start();
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#state[data-state=idle]');
  const setHidden = (hidden: boolean) =>
    page.evaluate(value => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await setHidden(true);
  await page.waitForLoadState('networkidle');
  let asked = 0;
  page.on('request', () => void (asked += 1));
  await page.waitForTimeout(2500);
  expect(asked).toBe(0);
  await setHidden(false);
  await page.waitForResponse(answer => answer.url().endsWith('/live'));
  expect(asked).toBeGreaterThan(0);
});

inBrowser('a server that is gone is told, with what it said last', async () => {
  server = await start({ grace: 0 });
  await send(0, 20);
  await open({ width: 1280, height: 900 });
  await page.waitForSelector('#state[data-state=live]');
  await server.stop();
  server = undefined;
  await page.waitForSelector('#state[data-state=gone]');
  expect(await text('#state')).toMatch(/cannot be reached; shown is what it said at \d/);
  expect(await page.locator('#main').isVisible()).toBe(true);
});

inBrowser.each([
  [340, true],
  [390, false],
  [820, true],
  [2560, true],
])('%i px wide nothing scrolls sideways (dark: %p)', async (width, dark) => {
  server = await start();
  await send(0, 300);
  await open({ width, height: 800, dark });
  await page.waitForSelector('#state[data-state=live]');
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(content).toBeLessThanOrEqual(window);
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(background).toBe(dark ? 'rgb(20, 23, 27)' : 'rgb(251, 251, 250)');
  expect(said).toEqual([]);
});
