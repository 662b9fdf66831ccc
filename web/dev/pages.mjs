// The pages looked at and checked, with what to do on each; and a mock with a preview of the build to visit.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const freePort = () =>
	new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});

export async function start(environment) {
	const [api, site] = [await freePort(), await freePort()];
	const mock = spawn('node', ['dev/mock-api.mjs'], { env: { ...process.env, MOCK_PORT: String(api), ...environment }, stdio: 'ignore' });
	const preview = spawn('node', ['node_modules/vite/bin/vite.js', 'preview', '--port', String(site), '--strictPort'], {
		env: { ...process.env, ATRIUM_URL: `http://127.0.0.1:${api}` },
		stdio: 'ignore'
	});
	const origin = `http://127.0.0.1:${site}`;
	for (let i = 0; i < 600; i += 1) {
		if (await fetch(`${origin}/api/v1/status`).then((r) => r.ok, () => false)) break;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	return { origin, end: () => (mock.kill(), preview.kill()) };
}

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
export const RUNS = [
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

/** Opens an address, waits until the page stands, does what is to be done there. */
export async function visit(page, url, act) {
	await page.goto(url, { waitUntil: 'load' });
	await page.locator('main, [data-testid=empty-state]').first().waitFor();
	await page.waitForTimeout(350);
	await act?.(page);
	await page.waitForTimeout(250);
}
