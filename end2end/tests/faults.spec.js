// The table of docs/faults.md, as a person meets it: every fault that the simulator can make, in the page.
import { readFileSync } from 'node:fs';
import { simulated } from '../support/chat.js';
import { expect, test } from '../support/fixtures.js';

const ROWS = readFileSync(new URL('../../docs/faults.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()).slice(1, -1))
  .map(([fault, made, , , outcome, reads]) => ({ fault, script: /^`(.+)`$/.exec(made)?.[1], outcome, reads }))
  // Where no script makes it, the server's own tests do.
  .filter(({ script }) => script);

test.use({ variables: { OUTLAST_STALL_MS: '3000' } });

const PARTS = 4;
for (let part = 0; part < PARTS; part += 1) {
  test(`each fault at Claude's is said as the table says it (${part + 1} of ${PARTS})`, async ({ chat, page, ownServer }) => {
    test.setTimeout(240_000);
    expect(ROWS.length).toBeGreaterThan(35);
    for (const { fault, script, outcome, reads } of ROWS.filter((_, i) => i % PARTS === part)) {
      await test.step(fault, async () => {
        await chat.open(ownServer.url);
        await chat.send(simulated(fault.replaceAll('`', ''), `vary tokens=30 rate=0 ${script}`));
        const written = chat.reply.locator('.written');
        const state = outcome.startsWith('failed') ? 'failed' : /^(complete|cut|stopped)$/;
        await expect(written, fault).toHaveAttribute('data-state', state, { timeout: 40_000 });
        await expect(chat.reply, fault).not.toHaveAttribute('aria-busy', 'true');
        if (reads !== 'the reply') await expect(page.getByRole('main'), fault).toContainText(reads);
        else await expect(written, fault).toHaveAttribute('data-state', 'complete');
        if (!script.includes('think')) await chat.shownIsStored();
      });
    }
  });
}
