// Pictures of every page: wide and narrow, light and dark, to be looked at. Needs a build (`npm run build`) and Chromium.
//   node dev/screenshots.mjs OUT_DIR [page ...]      CHROMIUM (/usr/bin/chromium)
// Starts dev/mock-api.mjs and `vite preview` on free ports and ends them.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { chromium } from 'playwright-core';

const [out = 'shots', ...only] = process.argv.slice(2);
mkdirSync(out, { recursive: true });

const freePort = () =>
	new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});

async function start(environment) {
	const [api, site] = [await freePort(), await freePort()];
	const mock = spawn('node', ['dev/mock-api.mjs'], { env: { ...process.env, MOCK_PORT: String(api), ...environment }, stdio: 'ignore' });
	const preview = spawn('node', ['node_modules/vite/bin/vite.js', 'preview', '--port', String(site), '--strictPort'], {
		env: { ...process.env, ATRIUM_URL: `http://127.0.0.1:${api}` },
		stdio: 'ignore'
	});
	const origin = `http://127.0.0.1:${site}`;
	for (let i = 0; i < 100; i += 1) {
		if (await fetch(`${origin}/api/v1/status`).then((r) => r.ok, () => false)) break;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	return { origin, end: () => (mock.kill(), preview.kill()) };
}

const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };
const CHAT = '[data-testid=chat-row] a';
const openChat = async (page, index) => {
	if (await page.getByTestId('open-navigation').isVisible()) await page.getByTestId('open-navigation').click();
	await page.locator(CHAT).locator('visible=true').nth(index).click();
	await page.getByTestId('composer').waitFor();
	await page.waitForTimeout(700);
};
const send = async (page, text) => {
	await page.getByTestId('composer').fill(text);
	await page.keyboard.press('Enter');
};

// name -> [address, what to do there]
const SIGNED_IN = {
	new: ['/'],
	chat: ['/', (page) => openChat(page, 0)],
	states: ['/', (page) => openChat(page, 1)],
	streaming: ['/', async (page) => {
		await send(page, 'Explain double-entry ledgers.');
		await page.getByTestId('code-block').first().waitFor();
		await page.waitForTimeout(400);
	}],
	refused: ['/', async (page) => {
		await send(page, 'Tell me more #wallet');
		await page.getByTestId('refusal').waitFor();
	}],
	unsent: ['/', async (page) => {
		await send(page, 'Tell me more #refuse');
		await page.getByTestId('refusal').waitFor();
	}],
	picker: ['/', async (page) => {
		await page.getByTestId('model-picker').click();
		await page.getByTestId('model-option').first().waitFor();
	}],
	palette: ['/usage', async (page) => {
		await page.keyboard.press('Control+k');
		await page.getByTestId('palette-input').fill('plan');
	}],
	drawer: ['/', async (page) => {
		if (await page.getByTestId('open-navigation').isVisible()) await page.getByTestId('open-navigation').click();
		await page.getByTestId('account-menu').locator('visible=true').click();
	}],
	usage: ['/usage', (page) => page.locator('canvas').waitFor()],
	keys: ['/keys'],
	'keys-new': ['/keys', (page) => page.getByTestId('create-key').click()],
	'keys-once': ['/keys', async (page) => {
		await page.getByTestId('create-key').click();
		await page.getByTestId('key-name').fill('Laptop');
		await page.getByTestId('key-submit').click();
		await page.getByTestId('new-key').waitFor();
	}],
	settings: ['/settings'],
	prices: ['/admin/prices', (page) => page.getByTestId('unpriced').waitFor()],
	'prices-set': ['/admin/prices?model=acme/large', (page) => page.getByTestId('price-input').waitFor()],
	wallet: ['/admin/wallet', (page) => page.getByTestId('wallet-available').waitFor()],
	'wallet-budget': ['/admin/wallet', (page) => page.getByTestId('new-budget').click()],
	users: ['/admin/users'],
	status: ['/admin/status', (page) => page.getByTestId('status-headline').waitFor()],
	missing: ['/c/none'],
	notfound: ['/nowhere/at/all']
};
const RUNS = [
	[{ MOCK_SIGNED_IN: '1' }, SIGNED_IN],
	[{ MOCK_SETUP: '1' }, { setup: ['/signup?setup=abc', (page) => page.getByTestId('setup-note').waitFor()] }],
	[{}, { signin: ['/signin'], signup: ['/signup'], 'signin-wrong': ['/signin', async (page) => {
		await page.getByTestId('email').fill('ada@example.com');
		await page.getByTestId('password').fill('wrong');
		await page.getByTestId('submit').click();
		await page.getByTestId('form-error').waitFor();
	}] }],
	[{ MOCK_SIGNED_IN: '1', MOCK_EMPTY: '1', MOCK_LOADING: '2000' }, {
		'empty-new': ['/', (page) => page.getByTestId('composer-notice').waitFor()],
		'empty-usage': ['/usage'],
		'empty-keys': ['/keys'],
		waiting: ['/', async (page) => {
			await send(page, 'Hello');
			await page.getByTestId('reply-waiting').locator('[role=progressbar]').waitFor();
		}]
	}]
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let problems = 0;
for (const [environment, pages] of RUNS) {
	const names = Object.keys(pages).filter((name) => only.length === 0 || only.includes(name));
	if (names.length === 0) continue;
	const { origin, end } = await start(environment);
	try {
		for (const name of names) {
			for (const [size, viewport] of Object.entries(SIZES)) {
				for (const colorScheme of ['light', 'dark']) {
					const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce', deviceScaleFactor: 1 });
					const page = await context.newPage();
					const complain = (text) => {
						problems += 1;
						console.error(`${name} ${size} ${colorScheme}: ${text}`);
					};
					page.on('pageerror', (error) => complain(error.message));
					const expected = /status of (401|404|402|429)|Not found: /;
					page.on('console', (message) => {
						if (message.type() === 'error' && !expected.test(message.text())) complain(message.text());
					});
					try {
						const [address, act] = pages[name];
						await page.goto(origin + address, { waitUntil: 'load' });
						await page.locator('main, [data-testid=empty-state]').first().waitFor();
						await page.waitForTimeout(350);
						await act?.(page);
						await page.waitForTimeout(250);
						const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
						if (wide) complain('the page scrolls sideways');
						await page.screenshot({ path: `${out}/${name}-${size}-${colorScheme}.png` });
					} catch (error) {
						complain(String(error).split('\n')[0]);
						await page.screenshot({ path: `${out}/${name}-${size}-${colorScheme}-failed.png` });
					}
					await context.close();
				}
			}
		}
	} finally {
		end();
	}
}
await browser.close();
console.log(problems === 0 ? `pictures in ${out}` : `${problems} problems`);
process.exit(problems === 0 ? 0 : 1);
