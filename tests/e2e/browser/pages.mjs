// What the pages say where something is missing, long, refused or gone, and an administrator deleting a person.
//   Besides what driver.mjs reads: PASSWORD, ADMIN_EMAIL, GONE_EMAIL (whom the administrator deletes)
import { WIDE, browser, check, ended, newChatWith, newest, open, picture, problems, send, signUp, stepper } from './driver.mjs';

const { PASSWORD, ADMIN_EMAIL, GONE_EMAIL } = process.env;
const EMAIL = `petra-${Date.now().toString(36)}@example.com`;
/** What a visit to the sign-in page may fetch, compressed: by the language of the browser. */
const ENTRY = [
	['en-GB', 'Sign in', 55_000],
	['de-DE', 'Anmelden', 60_000]
];
const MINE = 'Why does `a[0]` fail here?\n\n```py\na = []\nprint(a[0])\n```\n\nand why\n' + 'again\n'.repeat(40);

let page = await open();
const step = stepper(() => page);
const active = (read) => page.evaluate(`(() => { const one = document.activeElement; return ${read}; })()`);

async function signIn(email, where = page) {
	await where.goto('/signin');
	await where.getByTestId('email').fill(email);
	await where.getByTestId('password').fill(PASSWORD);
	await where.getByTestId('submit').click();
}

await step('sign up', () => signUp(page, { name: 'Petra Pages', email: EMAIL, password: PASSWORD }));

await step('own code is shown as code, and a long message is folded', async () => {
	await newChatWith(page, 'fake-echo');
	await send(page, MINE);
	await ended(page, 'complete');
	const mine = page.locator('[data-testid=message][data-role=user]').last();
	check((await mine.locator('p code').first().innerText()) === 'a[0]', 'code within the words is not code');
	check((await mine.getByTestId('code-block').innerText()).includes('print(a[0])'), 'the block is not code');
	const folded = (await mine.innerText()).length;
	await mine.getByTestId('message-fold').click();
	check((await mine.innerText()).length > folded + 100, 'it does not unfold');
	await page.waitForURL('**/c/*');
	const title = await page.getByTestId('chat-row').first().innerText();
	check(title.trim() === 'Why does a[0] fail here?', title);
	await picture(page, 'own-code');
});

await step('each chat is one stop of Tab, and its menu is to the right', async () => {
	await newChatWith(page, 'fake-echo');
	const row = page.getByTestId('chat-row').first();
	await row.locator('a').focus();
	await page.keyboard.press('ArrowRight');
	check((await active('one.dataset.testid')) === 'chat-menu', 'the right arrow does not lead to the menu');
	await page.keyboard.press('Enter');
	await page.getByTestId('rename-chat').waitFor();
	await page.keyboard.press('Escape');
	await row.locator('a').focus();
	await page.keyboard.press('Tab');
	check((await active('one.dataset.testid')) !== 'chat-menu', 'the menu of a chat that is not open is a stop of its own');
});

await step('a long list of models is walked with the keyboard', async () => {
	const models = '**/api/v1/inference/models*';
	await page.route(models, async (route) => {
		const response = await route.fetch();
		const list = await response.json();
		const model = list.data.find(({ id }) => id === 'fake-echo');
		await route.fulfill({ response, json: { ...list, data: Array.from({ length: 60 }, (_, i) => ({ ...model, id: `model-${i}`, name: `Model ${i}` })) } });
	});
	try {
		const listed = page.waitForResponse(models);
		await page.reload();
		await listed;
		await page.getByTestId('composer').waitFor();
		await page.getByTestId('model-picker').filter({ hasText: /Model \d/ }).focus();
		await page.keyboard.press('Enter');
		await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'option');
		await page.keyboard.press('End');
		await page.waitForFunction(() => {
			const last = [...document.querySelectorAll('[data-testid=model-option]')].at(-1);
			return last === document.activeElement && last.getBoundingClientRect().bottom <= innerHeight;
		});
		await page.keyboard.press('Enter');
		await page.getByTestId('model-picker').filter({ hasText: 'Model 59' }).waitFor();
	} finally {
		await page.unroute(models);
	}
});

await step('a file that is there already is attached to another message, and the same one only once', async () => {
	const file = { name: 'prices.csv', mimeType: 'text/csv', buffer: Buffer.from('item,price\nlamp,3\n'.repeat(20)) };
	await newChatWith(page, 'fake-echo');
	await page.getByTestId('attach-input').setInputFiles(file);
	await page.locator('[data-testid=attachment-chip][data-state=ready]').waitFor({ timeout: 60_000 });
	await page.getByTestId('attachment-remove').click();
	await page.getByTestId('attach').click();
	await page.getByTestId('attach-existing').click();
	await page.getByTestId('add-option').filter({ hasText: 'prices.csv' }).click();
	await picture(page, 'attach-existing');
	await page.getByTestId('attach-submit').click();
	await page.locator('[data-testid=attachment-chip][data-state=ready]').waitFor();
	await page.getByTestId('attach').click();
	await page.getByTestId('attach-existing').click();
	await page.getByTestId('attach-dialog').locator('p').waitFor();
	check((await page.getByTestId('add-option').count()) === 0, 'what is attached is offered again');
	await page.keyboard.press('Escape');
	await page.getByTestId('attachment-remove').click();
});

await step('a first message that is refused leaves no empty chat, and its text is there', async () => {
	await newChatWith(page, 'fake-echo');
	await page.route('**/chats/*/messages', (route) => route.fulfill({ status: 429, json: { code: 'too_many_running_replies', detail: 'too many of your replies are being written' } }));
	try {
		await page.getByTestId('composer').fill('What does it cost?');
		await page.keyboard.press('Enter');
		await page.getByTestId('unsent').waitFor();
	} finally {
		await page.unroute('**/chats/*/messages');
	}
	await page.getByTestId('new-chat').click();
	await page.getByTestId('suggestions').waitFor();
	check((await page.getByTestId('composer').inputValue()) === 'What does it cost?', 'the text is gone');
	await page.reload();
	await page.getByTestId('chat-row').first().waitFor();
	check((await page.getByTestId('chat-row').filter({ hasText: 'What does it cost?' }).count()) === 0, 'an empty chat stays in the list');
	await page.getByTestId('composer').fill('');
});

await step('an address without a page says so, and the navigation stays', async () => {
	await page.goto('/nowhere/at/all');
	await page.getByTestId('page-error').waitFor();
	check(await page.getByTestId('new-chat').isVisible(), 'the navigation is gone');
	await page.getByTestId('new-chat').click();
	await page.getByTestId('composer').waitFor();
});

await step('without a connection a page says so, the navigation stays, and the page can be asked for again', async () => {
	await page.reload();
	await page.getByTestId('composer').waitFor();
	await page.route('**/_app/**', (route) => route.abort());
	await page.getByTestId('nav-agents').click();
	await page.getByTestId('page-error').waitFor();
	check(await page.getByTestId('new-chat').isVisible(), 'the navigation is gone');
	check(!(await page.locator('body').innerText()).includes('Internal Error'), 'it says Internal Error');
	await picture(page, 'no-connection');
	await page.unroute('**/_app/**');
	await page.getByTestId('reload-page').click();
	await page.getByTestId('tools-table').waitFor();
	problems.splice(0, problems.length, ...problems.filter((text) => !/ERR_FAILED|Failed to fetch|dynamically imported|Unable to preload/.test(text)));
});

await step('the name of the installation is on the page, and its title', async () => {
	await page.route('**/api/v1/auth/config', async (route) => {
		const response = await route.fetch();
		await route.fulfill({ response, json: { ...(await response.json()), name: 'Norrholm Desk' } });
	});
	await page.goto('/usage');
	await page.getByText('Norrholm Desk').waitFor();
	await page.waitForFunction(() => document.title.endsWith('· Norrholm Desk'));
	await page.unroute('**/api/v1/auth/config');
});

await step('who left on purpose is asked for no session at the next visit', async () => {
	await page.getByTestId('account-menu').click();
	await page.getByTestId('sign-out').click();
	await page.getByTestId('signin-form').waitFor();
	const refused = [];
	page.on('response', (response) => response.status() === 401 && refused.push(response.url()));
	await page.reload();
	await page.getByTestId('signin-form').waitFor();
	check(refused.length === 0, `refused: ${refused}`);
});

await step('before sign-in little of the program is loaded, and it speaks German', async () => {
	const sizes = [];
	for (const [locale, words, bytesMax] of ENTRY) {
		const other = await open({ locale });
		const loaded = [];
		other.on('response', (response) => new URL(response.url()).pathname.endsWith('.js') && loaded.push(response));
		await other.goto('/signin');
		await other.getByTestId('signin-form').waitFor();
		await other.waitForLoadState('networkidle');
		check((await other.getByTestId('submit').innerText()) === words, await other.getByTestId('submit').innerText());
		let sent = 0;
		for (const response of loaded) sent += (await response.request().sizes()).responseBodySize;
		await other.context().close();
		sizes.push(`${locale}: ${(sent / 1000).toFixed(1)} kB of JavaScript`);
		check(loaded.length > 5 && sent < bytesMax, sizes.at(-1));
	}
	return sizes.join(', ');
});

await step('an administrator deletes a person, having typed their address', async () => {
	await signIn(ADMIN_EMAIL);
	await page.getByTestId('account-menu').waitFor();
	await page.goto('/admin/users');
	let row = page.getByRole('row').filter({ hasText: GONE_EMAIL });
	const more = page.getByRole('button', { name: 'Show more' });
	while (!(await row.count()) && (await more.count())) await more.click();
	await row.getByTestId('user-menu').click();
	await page.getByTestId('delete-user').click();
	const dialog = page.getByTestId('delete-user-dialog');
	check((await dialog.innerText()).includes('without a name'), 'it does not say what is kept');
	check(await page.getByTestId('delete-user-submit').isDisabled(), 'it can be done without typing');
	await page.getByTestId('delete-user-email').fill(EMAIL);
	check(await page.getByTestId('delete-user-submit').isDisabled(), 'another address will do');
	await page.getByTestId('delete-user-email').fill(` ${GONE_EMAIL.toUpperCase()} `);
	await picture(page, 'delete-person');
	await page.route('**/api/v1/admin/users/*', (route) => route.fulfill({ status: 503, json: { code: 'database_down', detail: 'the database does not answer' } }));
	await page.getByTestId('delete-user-submit').click();
	await page.getByTestId('form-error').waitFor();
	await page.unroute('**/api/v1/admin/users/*');
	await page.getByTestId('delete-user-submit').click();
	await dialog.waitFor({ state: 'hidden' });
	await page.getByTestId('users-table').waitFor();
	await page.waitForFunction((email) => !document.querySelector('[data-testid=users-table]')?.textContent.includes(email), GONE_EMAIL);
	check((await page.getByRole('row').filter({ hasText: ADMIN_EMAIL }).getByTestId('user-menu').count()) === 0, 'one can delete oneself');
	const other = await open();
	await signIn(GONE_EMAIL, other);
	await other.getByTestId('form-error').waitFor();
	await other.context().close();
});

await step('no script error and no violation of the content policy', async () => {
	const unexpected = problems.filter((text) => !/status of 503/.test(text));
	check(unexpected.length === 0, unexpected.join('\n'));
});

await browser.close();
