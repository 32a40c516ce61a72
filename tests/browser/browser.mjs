// The installed Chromium, with what it needs to run headless, as root, and without asking the outside for anything.

import { chromium } from 'playwright-core';

const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/** Runs `use(page, context)` with a fresh profile, and fails if the page logged an error or broke its own policy. */
export async function with_page(options, use) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args, headless: true });
  try {
    const context = await browser.newContext({ viewport: { width: 1100, height: 750 }, ...options });
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => {
      // A lost connection is what some tests are about, and Chromium reports each.
      const is_network = /net::ERR_|WebSocket connection to|Failed to load resource/.test(message.text());
      if (message.type() === 'error' && !is_network) errors.push(message.text());
    });
    await use(page, context);
    if (errors.length > 0) throw new Error(`the page reported errors:\n${errors.join('\n')}`);
  } finally {
    await browser.close();
  }
}
