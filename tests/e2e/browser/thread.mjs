// Drives the web client in a real browser through one gateway and prints one JSON line a step: {step, ok, detail}.
//   ATRIUM_URL, WEB_DIR (where playwright-core is installed), OUT_DIR (pictures), CHROMIUM,
//   ADMIN_EMAIL and PASSWORD of an administrator, BUILTIN_MODEL, UNPRICED_MODEL
import * as driver from './driver.mjs';
import { WIDE, PHONE, browser, check, open, picture, problems, sideways, textOf, windowStays } from './driver.mjs';

const { ADMIN_EMAIL, PASSWORD, BUILTIN_MODEL, UNPRICED_MODEL } = process.env;
const PAGES = { home: '/', usage: '/usage', keys: '/keys', settings: '/settings' };
const ADMIN_PAGES = ['/admin/wallet', '/admin/prices', '/admin/users', '/admin/status'];

const step = driver.stepper(() => page);
const newest = () => driver.newest(page);
const ended = (status, options) => driver.ended(page, status, options);
const newChatWith = (model) => driver.newChatWith(page, model);
const send = (text) => driver.send(page, text);
const numbers = (count) => Array.from({ length: count }, (_, index) => `t${index}`).join(' ');

/** Until the newest reply shows `word`, while it streams. */
async function growing(word) {
	await page.waitForFunction(
		(wanted) => {
			const message = [...document.querySelectorAll('[data-testid=message][data-role=assistant]')].at(-1);
			return message?.dataset.status === 'streaming' && message.innerText.split(/\s+/).includes(wanted);
		},
		word,
		{ polling: 50 }
	);
}

const luminance = (which) =>
	which.evaluate(() => {
		const canvas = document.createElement('canvas').getContext('2d');
		canvas.fillStyle = 'white';
		canvas.fillRect(0, 0, 1, 1);
		for (const element of [document.documentElement, document.body]) {
			canvas.fillStyle = getComputedStyle(element).backgroundColor;
			canvas.fillRect(0, 0, 1, 1);
		}
		const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
		return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
	});

let page = await open();
const email = `berta-${Date.now().toString(36)}@example.com`;

await step('sign up', async () => {
	await driver.signUp(page, { name: 'Berta Browser', email, password: PASSWORD });
});

await step('the answer streams into the page', async () => {
	await newChatWith('fake-slow');
	await send('How does a double-entry ledger stay in balance? !tokens=40 !delay_ms=50');
	await growing('t5');
	check((await textOf(newest())).split(/\s+/).length < 40, 'the whole reply came at once');
	await picture(page, 'streaming');
	await ended('complete');
	check((await textOf(newest())) === numbers(40), `the reply reads ${await textOf(newest())}`);
});

await step('the cost is under the reply and what is left in the composer', async () => {
	const cost = Number(await newest().getByTestId('reply-cost').getAttribute('data-cost-nano'));
	check(cost > 0, `the cost is ${cost}`);
	const left = Number(await page.getByTestId('remaining').getAttribute('data-remaining-nano'));
	check(left > 0, `remaining is ${left}`);
	return cost;
});

await step('a reload in the middle of a reply resumes it', async () => {
	await newChatWith('fake-slow');
	await send('Plan three relaxed days in Lisbon for two people. !tokens=80 !delay_ms=60');
	await growing('t8');
	await page.reload();
	await growing('t20');
	await ended('complete');
	check((await textOf(newest())) === numbers(80), 'text was lost or repeated');
});

await step('stop keeps what came', async () => {
	await newChatWith('fake-slow');
	await send('Tell me a long story about a lighthouse and its keeper. !tokens=400 !delay_ms=50');
	await growing('t5');
	await page.getByTestId('stop').click();
	await ended('stopped');
	const words = (await textOf(newest())).split(/\s+/);
	check(words[0] === 't0' && words.length < 200, `${words.length} words`);
	check(await newest().getByTestId('reply-unfinished').isVisible(), 'nothing says that the reply was stopped');
});

await step('regenerate adds a version and both can be read', async () => {
	await newChatWith('fake-echo');
	await send('Translate good morning.');
	await ended('complete');
	await newest().getByTestId('regenerate').click();
	await page.waitForFunction(() => document.querySelector('[data-testid=branch-position]')?.textContent === '2/2');
	await ended('complete');
	await newest().getByTestId('branch-previous').click();
	await page.waitForFunction(() => document.querySelector('[data-testid=branch-position]')?.textContent === '1/2');
	check((await textOf(newest())) === 'Translate good morning.', 'the first version is gone');
});

await step('editing a question starts another branch', async () => {
	await page.locator('[data-testid=message][data-role=user]').last().hover();
	await page.getByTestId('edit-message').last().click();
	await page.getByTestId('edit-input').fill('Translate good night.');
	await page.getByTestId('edit-save').click();
	await page.waitForFunction(() => {
		const message = [...document.querySelectorAll('[data-testid=message][data-role=assistant]')].at(-1);
		return message?.dataset.status === 'complete' && message.innerText.includes('Translate good night.');
	});
});

await step('a refusal is shown where the reply would be with what to do', async () => {
	await newChatWith(UNPRICED_MODEL);
	await send('What does this model cost?');
	const refusal = newest().getByTestId('refusal');
	await refusal.waitFor();
	check((await refusal.getAttribute('data-code')) === 'price_unknown', await refusal.innerText());
	check(await refusal.getByTestId('refusal-action').isVisible(), 'no way out is offered');
	check(await page.getByText('What does this model cost?').first().isVisible(), 'the question is gone');
	await picture(page, 'refusal');
});

await step('the built-in model answers', async () => {
	await newChatWith(BUILTIN_MODEL);
	await send('Write two short sentences about the sea.');
	await ended('complete', { timeout: 90_000 });
	check(/[a-z]/i.test(await textOf(newest())), 'the reply has no words');
	await newest().getByTestId('reply-cost').waitFor();
	await picture(page, 'chat');
});

await step('the usage page shows the total and a chart', async () => {
	await page.goto('/usage');
	await page.getByTestId('usage-total').filter({ hasText: '$' }).waitFor();
	await page.locator('[data-testid=usage-chart] canvas, [data-testid=usage-chart] svg').first().waitFor();
	check((await page.getByTestId('usage-table').innerText()).includes('fake-slow'), 'the table does not name the model');
	await picture(page, 'usage');
});

await step('a new key is shown once', async () => {
	await page.goto('/keys');
	await page.getByTestId('create-key').click();
	await page.getByTestId('key-name').fill('Laptop');
	await page.getByTestId('key-submit').click();
	const key = (await page.getByTestId('new-key').innerText()).trim();
	check(key.startsWith('atr-'), key);
	await page.getByTestId('key-done').click();
	check((await page.getByTestId('keys-table').innerText()).includes('Laptop'), 'the key is not listed');
	check(!(await page.content()).includes(key), 'the key is still in the page');
	await picture(page, 'keys');
});

/** Chooses a theme on the settings page and waits until the page looks like it. */
async function choose(theme, looksRight) {
	await page.goto('/settings');
	await page.getByTestId('theme').getByText(theme, { exact: true }).click();
	const deadline = Date.now() + 5000;
	while (!looksRight(await luminance(page))) {
		check(Date.now() < deadline, `${theme} has luminance ${await luminance(page)}`);
		await page.waitForTimeout(50);
	}
}

await step('dark mode is dark and light mode is light', async () => {
	await choose('Dark', (light) => light < 0.25);
	await page.goto('/');
	await page.getByTestId('chat-row').first().locator('a').first().click();
	await page.getByTestId('transcript').waitFor();
	check((await luminance(page)) < 0.25, 'another page is not dark');
	await picture(page, 'chat-dark');
	await choose('Light', (light) => light > 0.75);
});

await step('nothing scrolls sideways on a phone', async () => {
	await page.goto('/');
	const chat = await page.getByTestId('chat-row').first().locator('a').first().getAttribute('href');
	await page.setViewportSize(PHONE);
	for (const [name, path] of Object.entries({ ...PAGES, chat })) {
		await page.goto(path);
		await page.locator('main').first().waitFor();
		await page.waitForLoadState('networkidle').catch(() => {});
		check(!(await sideways(page)), `${path} scrolls sideways`);
		await picture(page, `phone-${name}`);
		await page.setViewportSize({ ...PHONE, height: 400 });
		check(await windowStays(page), `${path} scrolls its window`);
		await page.setViewportSize(PHONE);
	}
	await page.setViewportSize(WIDE);
});

await step('an administrator tops up the wallet', async () => {
	await page.context().close();
	page = await open();
	await page.goto('/signin');
	await page.getByTestId('email').fill(ADMIN_EMAIL);
	await page.getByTestId('password').fill(PASSWORD);
	await page.getByTestId('submit').click();
	await page.getByTestId('composer').waitFor();
	await page.goto('/admin/wallet');
	await page.getByTestId('wallet-available').waitFor();
	await page.getByTestId('top-up').click();
	await page.getByTestId('top-up-amount').fill('2.50');
	await page.getByTestId('top-up-note').fill('from the browser');
	await page.getByTestId('top-up-submit').click();
	await page.getByTestId('toast').filter({ hasText: '2.50' }).waitFor();
	await picture(page, 'admin-wallet');
});

await step('the pages of administration work', async () => {
	for (const path of ADMIN_PAGES) {
		await page.goto(path);
		await page.waitForLoadState('networkidle').catch(() => {});
		check(!(await page.getByTestId('error-state').isVisible()), `${path} shows an error`);
		await picture(page, `admin${path.replace('/admin/', '-')}`);
	}
	check((await page.getByTestId('status-headline').innerText()) !== '', 'the status page says nothing');
	check((await page.getByTestId('service-status').count()) >= 5, 'services are missing on the status page');
});

await step('no script error and no violation of the content policy', async () => {
	check(problems.length === 0, problems.join('\n'));
});

await browser.close();
