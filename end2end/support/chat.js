// The page in words: how a person finds things in it.
import { randomBytes } from 'node:crypto';
import { expect } from '@playwright/test';

let scripts = 0;

/** A message for the simulator: words to recognise it by, and a script that no other test shares. */
export function simulated(words, script = 'tokens=40 rate=0') {
  scripts += 1;
  const seed = `${process.pid}${scripts}`;
  return `${words}\n/sim ${script} seed=${seed}`;
}

/**
 * For a script: the reply stands still after so many tokens until `release` is called, so that it cannot end before a
 * page is there, however slow the machine is.
 */
export function held(tokens) {
  scripts += 1;
  const name = `${process.pid}-${scripts}`;
  return {
    script: `hold=${name}@${tokens}`,
    /** By somebody else than the page's user, in a chat of their own. */
    async release(chat) {
      const at = (path) => new URL(path, chat.page.url()).href;
      const created = await fetch(at('/api/sessions/create'), { method: 'POST' });
      const { session_id } = await created.json();
      const cookie = created.headers.getSetCookie()[0].split(';')[0];
      const text = `/sim tokens=1 rate=0 release=${name}`;
      const body = new URLSearchParams({ session_id, turn_id: ulid(), text });
      const sent = await fetch(at('/api/chat/send'), { method: 'POST', headers: { cookie }, body });
      expect(sent.status).toBe(200);
      await sent.text();
    },
  };
}

const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new id, for what a script makes. */
export const ulid = () => {
  let time = Date.now();
  let text = '';
  for (let i = 0; i < 10; i += 1, time = Math.floor(time / 32)) text = LETTERS[time % 32] + text;
  return text + [...randomBytes(16)].map((b) => LETTERS[b % 32]).join('');
};

/** A numbered text (`vary`): how many calls wrote it, and whether its words go 0, 1, 2 to the last of so many. */
export function splice(text, tokens) {
  const words = plain(text).split(' ');
  const numbers = words.map((word) => /^w(\d+)·c(\d+)$/.exec(word));
  const whole = words.length === tokens && numbers.every((m, i) => m && Number(m[1]) === i);
  return { whole, calls: new Set(numbers.map((m) => m?.[2])).size };
}

/** One space where there was any white space: what is shown and what is stored differ in nothing else. */
export const plain = (text) => text.replace(/\s+/g, ' ').trim();

export class Chat {
  constructor(page) {
    this.page = page;
  }

  get box() {
    return this.page.getByRole('textbox', { name: 'Your message' });
  }

  get replies() {
    return this.page.locator('.reply');
  }

  get reply() {
    return this.replies.last();
  }

  get sendButton() {
    return this.page.getByRole('button', { name: 'Send', exact: true });
  }

  get stopButton() {
    return this.page.getByRole('button', { name: 'Stop', exact: true });
  }

  get sidebar() {
    return this.page.getByRole('navigation');
  }

  /** The heading that a question is. */
  question(words) {
    return this.page.getByRole('main').getByRole('heading', { level: 2 }).filter({ hasText: words });
  }

  /** A chat's row in the sidebar. */
  row(title) {
    return this.sidebar.getByRole('listitem').filter({ has: this.page.getByRole('link', { name: title }) });
  }

  /** Opens a page and waits until it is alive. */
  async open(path = '/') {
    const answer = await this.page.goto(path);
    await this.alive();
    return answer;
  }

  /** The browser's half has taken over: only now do clicks count. */
  async alive() {
    await this.page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
  }

  /** Types a message and sends it with Enter. */
  async send(text) {
    await this.box.fill(text);
    await this.box.press('Enter');
  }

  /** The last reply has begun: at least so many characters of it are there. */
  async writing(characters = 20) {
    await expect(this.reply).toHaveAttribute('aria-busy', 'true');
    await expect.poll(async () => (await this.shown()).length, { message: 'text arrives' }).toBeGreaterThan(characters);
  }

  /** The last reply has ended, in this way: `complete`, `stopped`, `failed` or `cut`. */
  async ended(state = 'complete', options) {
    await expect(this.reply).not.toHaveAttribute('aria-busy', 'true', options);
    await expect(this.reply.locator('.written')).toHaveAttribute('data-state', state, options);
  }

  /** The last reply's text as a person reads it, without the notes beside it that say who wrote on. */
  async shown() {
    const prose = this.reply.locator('.prose');
    if (!(await prose.count())) return '';
    const text = await prose.first().evaluate((element) => {
      const notes = [...element.querySelectorAll('.seam')];
      for (const note of notes) note.hidden = true;
      const { innerText } = element;
      for (const note of notes) note.hidden = false;
      return innerText;
    });
    return plain(text);
  }

  /**
   * Looks at the last reply at every frame from now on. Call what it gives to stop: it says how long the shortest and
   * the longest text was, and which words stood wrongly at some time: numbered words (`vary`) go 0, 1, 2.
   */
  async watch() {
    await this.page.evaluate(() => {
      const seen = { shortest: Infinity, longest: 0, wrong: [], states: new Set() };
      window.watched = seen;
      const look = () => {
        if (window.watched !== seen) return;
        const reply = [...document.querySelectorAll('.turn:not([hidden]) .reply')].at(-1);
        const text = reply?.querySelector('.prose')?.textContent ?? '';
        seen.shortest = Math.min(seen.shortest, text.length);
        seen.longest = Math.max(seen.longest, text.length);
        // The word at the end may be half there.
        const numbers = [...text.matchAll(/w(\d+)·c\d+(?!\d)/g)].map((m) => Number(m[1]));
        const at = numbers.findIndex((n, i) => n !== i);
        if (at >= 0 && seen.wrong.length < 5) seen.wrong.push(numbers.slice(Math.max(0, at - 3), at + 3).join(' '));
        const state = reply?.querySelector('.state strong')?.textContent;
        if (state) seen.states.add(state);
      };
      // Right behind a frame: what was painted, not what the page still makes of it before.
      const painted = new MessageChannel();
      painted.port1.onmessage = look;
      const frame = () => {
        painted.port2.postMessage(0);
        if (window.watched === seen) requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
    return () =>
      this.page.evaluate(() => {
        const { shortest, longest, wrong, states } = window.watched;
        window.watched = null;
        return { shortest, longest, wrong, states: [...states] };
      });
  }

  /** The session's id, from the address. */
  async sessionId() {
    await expect(this.page).toHaveURL(/\/c\/[0-9A-HJKMNP-TV-Z]{26}/);
    return new URL(this.page.url()).pathname.split('/')[2];
  }

  /** The session as the server has it. */
  async stored() {
    const params = { session_id: await this.sessionId() };
    const answer = await this.page.request.get(new URL('/api/sessions/get', this.page.url()).href, { params });
    expect(answer.status()).toBe(200);
    return answer.json();
  }

  /** What is shown is what is stored; returns it. */
  async shownIsStored() {
    const { messages } = await this.stored();
    const last = messages.at(-1);
    expect(last.role).toBe('assistant');
    const [shown, stored] = [await this.shown(), plain(last.text)];
    const apart = [...stored].findIndex((c, i) => c !== [...shown][i]);
    expect(shown, `apart from ${apart}: ${shown.slice(apart - 20, apart + 30)} | ${stored.slice(apart - 20, apart + 30)}`).toBe(stored);
    return last;
  }
}
