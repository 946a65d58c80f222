import type { LiveAnswer } from '../live.js';
import { byId, setText } from './dom.js';
import { show } from './panels.js';

/** ms */
const interval = 1000;
const patience = 5000;
const tokenKey = 'anomalyclr.token';

type State = 'waiting' | 'live' | 'idle' | 'gone' | 'locked';

let latest: LiveAnswer | undefined;
let lastAnswer: Date | undefined;
let timer: number | undefined;

function setState(state: State, text: string): void {
  const place = byId('state');
  place.dataset['state'] = state;
  setText(place, text);
  byId('main').classList.toggle('stale', state === 'gone' || state === 'locked');
}

/** Asks once, shows the answer, and comes again in a second, unless the page is hidden or locked. */
async function poll(): Promise<void> {
  window.clearTimeout(timer);
  timer = undefined;
  if (document.hidden) return;
  if (await ask()) timer = window.setTimeout(() => void poll(), interval);
}

/** @returns whether to go on asking */
async function ask(): Promise<boolean> {
  const token = sessionStorage.getItem(tokenKey);
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  try {
    const answer = await fetch('live', { headers, cache: 'no-store', signal: AbortSignal.timeout(patience) });
    if (answer.status === 401) {
      askForToken(token !== null);
      return false;
    }
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    present((await answer.json()) as LiveAnswer);
  } catch (error) {
    const since = lastAnswer
      ? `; shown is what it said at ${lastAnswer.toLocaleTimeString([], { hour12: false })}`
      : '';
    const said =
      error instanceof Error && /answers \d/.test(error.message) ? error.message : 'the server cannot be reached';
    setState('gone', `${said}${since}`);
  }
  return true;
}

function present(answer: LiveAnswer): void {
  latest = answer;
  lastAnswer = new Date();
  byId('login').hidden = true;
  byId('main').hidden = false;
  show(answer);
  if (answer.events === 0) setState('idle', 'live, no events yet');
  else setState('live', 'live');
}

function askForToken(refused: boolean): void {
  sessionStorage.removeItem(tokenKey);
  byId('login').hidden = false;
  byId('main').hidden = true;
  setText(byId('login-note'), refused ? 'The server refused this token.' : 'Kept until this tab is closed.');
  setState('locked', 'a token is needed');
  byId('token').focus();
}

byId('login').addEventListener('submit', event => {
  event.preventDefault();
  const field = byId('token') as HTMLInputElement;
  sessionStorage.setItem(tokenKey, field.value.trim());
  field.value = '';
  void poll();
});
document.addEventListener('visibilitychange', () => void poll());
window.addEventListener('resize', () => {
  if (latest) show(latest);
});
void poll();
