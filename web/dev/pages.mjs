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

const file = (name, size = 3_000) => ({ name, mimeType: 'application/pdf', buffer: Buffer.alloc(size, 'x') });
const attach = async (page, ...names) => page.getByTestId('attach-input').setInputFiles(names.map((name) => file(name)));
/** Sends and waits for the end of the reply. */
const finished = async (page, text) => {
	await send(page, text);
	await page.getByTestId('regenerate').last().waitFor();
	await page.waitForTimeout(300);
};
const within = (page, row, testid) => page.getByTestId(row).nth(1).locator('xpath=ancestor::tr').getByTestId(testid);

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
	attaching: ['/', async (page) => {
		await attach(page, 'report-2026.pdf', 'slow-minutes-of-the-annual-general-meeting-of-the-cooperative.pdf');
		await page.locator('[data-testid=attachment-chip][data-state=indexing]').first().waitFor();
		await page.waitForTimeout(900);
		await send(page, 'Sum up both files.');
		await page.locator('[data-testid=composer-waits][data-held=true]').waitFor();
	}],
	'attach-failed': ['/', async (page) => {
		await attach(page, 'fail-locked.pdf', 'picture.png');
		await page.locator('[data-testid=attachment-chip][data-state=failed]').nth(1).waitFor({ timeout: 15_000 });
		await page.getByTestId('composer').fill('Sum it up.');
	}],
	knowledge: ['/', async (page) => {
		await page.getByTestId('knowledge-picker').click();
		await page.getByTestId('knowledge-option').first().click();
		await page.getByTestId('knowledge-option').nth(2).click();
	}],
	'agent-picker': ['/', async (page) => {
		await page.getByTestId('agent-picker').click();
		await page.getByTestId('agent-option').nth(1).waitFor();
	}],
	'agent-reply': ['/?agent=a0000000-0000-4000-8000-00000000a001', (page) => finished(page, 'What is 37 * 91? #tools')],
	'agent-live': ['/?agent=a0000000-0000-4000-8000-00000000a001', async (page) => {
		await send(page, 'What is 37 * 91? #tools');
		await page.locator('[data-testid=tool-call][data-tool=python]').waitFor();
	}],
	approval: ['/?agent=a0000000-0000-4000-8000-00000000a001', async (page) => {
		await send(page, 'Draw it #approval');
		await page.getByTestId('approve').waitFor();
	}],
	sources: ['/', async (page) => {
		await attach(page, 'handbook.pdf');
		await page.locator('[data-testid=attachment-chip][data-state=ready]').waitFor({ timeout: 20_000 });
		await finished(page, 'How many days of leave? #cite');
	}],
	passage: ['/', async (page) => {
		await finished(page, 'How many days of leave? #cite');
		await page.getByTestId('citation').first().click();
		await page.getByTestId('citation-passage').waitFor();
		await page.waitForTimeout(300);
	}],
	files: ['/files', (page) => page.getByTestId('files-table').waitFor()],
	'files-upload': ['/files', async (page) => {
		await page.getByTestId('files-input').setInputFiles([file('slow-new.pdf'), file('photo.png')]);
		await page.locator('[data-testid=attachment-chip][data-state=failed]').waitFor();
		await page.locator('[data-testid=files-row][data-stage=parsing]').waitFor();
	}],
	'files-menu': ['/files', async (page) => {
		await page.getByTestId('files-table').waitFor();
		await within(page, 'files-row', 'file-menu').click();
	}],
	'files-base': ['/files', async (page) => {
		await page.getByTestId('knowledge-row').first().locator('button').first().click();
		await page.getByTestId('knowledge-add-files').click();
		await page.getByTestId('add-option').first().waitFor();
	}],
	'files-new': ['/files?new=knowledge', (page) => page.getByTestId('knowledge-name').waitFor()],
	'files-search': ['/files', async (page) => {
		await page.getByTestId('files-tab').getByText('Try a search').click();
		await page.getByTestId('search-query').fill('How many days of leave can be carried over?');
		await page.getByTestId('search-run').click();
		await page.getByTestId('search-trace').waitFor();
	}],
	agents: ['/agents', (page) => page.getByTestId('tools-table').waitFor()],
	'agents-edit': ['/agents', async (page) => {
		await page.getByTestId('tools-table').waitFor();
		await page.getByTestId('agent-edit').first().click();
		await page.getByTestId('agent-approval').first().waitFor();
	}],
	servers: ['/admin/tools', (page) => page.getByTestId('servers-table').waitFor()],
	'servers-add': ['/admin/tools', (page) => page.getByTestId('add-server').click()],
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
		'empty-files': ['/files', (page) => page.getByTestId('empty-state').waitFor()],
		'empty-agents': ['/agents', (page) => page.getByTestId('tools-table').waitFor()],
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
