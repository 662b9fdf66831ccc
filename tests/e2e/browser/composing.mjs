// What is beside a message that is being written (files, knowledge, text of a refused one) neither sends it nor gets lost.
//   Besides what driver.mjs reads: PASSWORD
import { browser, check, ended, newChatWith, open, picture, problems, send, signUp, stepper } from './driver.mjs';

const { PASSWORD } = process.env;
const RETRIEVAL = '**/api/v1/retrieval';
const FILES = 230;
const PAGE = 100;

const page = await open();
const step = stepper(() => page);
const composer = page.getByTestId('composer');
const dialog = page.getByTestId('attach-dialog');
const option = (name) => page.getByTestId('add-option').filter({ hasText: name });
const chips = (name) => page.getByTestId('attachment-chip').filter({ hasText: name });

const id = (number) => `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`;
const file = (number) => ({
	document_id: id(number), filename: `report-${number}.txt`, content_type: 'text/plain', size_bytes: 9, embedding_status: 'completed', stage: 'ready',
	customer_id: id(0), s3_key: 'k', qdrant_collection: 'c', qdrant_point_id: null, sha256: '0', knowledge_base_ids: [],
	upload_timestamp: '2026-11-22T00:00:00Z', updated_at: '2026-11-22T00:00:00Z'
});
const base = (number) => ({
	id: id(number), name: `base ${number}`, description: '', access: 'private', writable: true, file_count: 1,
	created_at: '2026-11-22T00:00:00Z', updated_at: '2026-11-22T00:00:00Z'
});
const list = (data, more = false) => ({ object: 'list', data, has_more: more, last_id: data.at(-1)?.document_id ?? data.at(-1)?.id ?? null });

/** More files than one page holds, newest (highest number) first. */
async function manyFiles() {
	await page.route(`${RETRIEVAL}/files/*`, (route) => route.fulfill({ json: file(Number(route.request().url().slice(-12))) }));
	await page.route(`${RETRIEVAL}/files?*`, (route) => {
		const after = new URL(route.request().url()).searchParams.get('after');
		const from = after === null ? FILES : Number(after.slice(-12)) - 1;
		const count = Math.min(PAGE, from);
		return route.fulfill({ json: list(Array.from({ length: count }, (_, at) => file(from - at)), from > count) });
	});
	await page.route(`${RETRIEVAL}/knowledge-bases?*`, (route) => route.fulfill({ json: list(Array.from({ length: 8 }, (_, at) => base(at + 1))) }));
}

/** Every question to a model is answered with this refusal. */
const refuse = (status) =>
	page.route('**/api/v1/chats/*/messages', (route) =>
		route.request().method() === 'POST'
			? route.fulfill({ status, contentType: 'application/problem+json', json: { title: 'no', status, code: 'refused', detail: 'not today' } })
			: route.fallback()
	);

async function openDialog() {
	await page.getByTestId('attach').click();
	await page.getByTestId('attach-existing').click();
	await option('report-').first().waitFor();
}

async function refusedChat(text) {
	await composer.fill(text);
	await page.keyboard.press('Enter');
	await page.waitForURL('**/c/*');
	await page.getByTestId('refusal').waitFor();
	return new URL(page.url()).pathname.split('/').at(-1);
}

const chatExists = (chat) => page.getByTestId('chat-list').locator(`[data-chat-id="${chat}"]`).isVisible();

await step('sign up', () => signUp(page, { name: 'Cora Composer', email: `cora-${Date.now().toString(36)}@example.com`, password: PASSWORD }));

await step('Enter in what is chosen beside a message does not send it', async () => {
	await manyFiles();
	await newChatWith(page, 'fake-echo');
	await composer.fill('half written');
	await openDialog();
	await dialog.getByRole('searchbox').fill('report');
	await page.keyboard.press('Enter');
	await option('report-230').getByRole('checkbox').press('Enter');
	check(await dialog.isVisible(), 'the dialog is gone');
	await page.keyboard.press('Escape');
	await dialog.waitFor({ state: 'detached' });
	await page.getByTestId('knowledge-picker').click();
	await page.getByTestId('knowledge-search').fill('base');
	await page.keyboard.press('Enter');
	await page.getByTestId('knowledge-option').first().getByRole('checkbox').press('Enter');
	await page.keyboard.press('Escape');
	check(new URL(page.url()).pathname === '/', `the message was sent: ${page.url()}`);
	check((await composer.inputValue()) === 'half written', await composer.inputValue());
});

await step('what is ticked stays ticked while something else is looked for, and every file can be found', async () => {
	await openDialog();
	const search = dialog.getByRole('searchbox');
	await search.fill('report-229');
	await option('report-229').getByRole('checkbox').check();
	await search.fill('report-17.');
	await option('report-17.').getByRole('checkbox').check();
	await picture(page, 'choose-files');
	await search.fill('nothing-like-it');
	await dialog.getByText('No file is called').waitFor();
	await page.getByTestId('attach-submit').click();
	for (const name of ['report-229', 'report-17.']) await chips(name).waitFor();
	check((await page.getByTestId('attachment-chip').count()) === 2, 'other files are attached');
	for (const _ of [1, 2]) await page.getByTestId('attachment-remove').first().click();
});

await step('a dialog whose program did not load once opens the next time', async () => {
	await page.goto('/');
	await composer.waitFor();
	let cut = 0;
	await page.route('**/_app/immutable/**', (route) => ((cut += 1), route.abort()));
	try {
		await page.getByTestId('attach').click();
		await page.getByTestId('attach-existing').click();
		await page.getByTestId('toast').filter({ hasText: 'did not answer' }).waitFor();
		check(cut > 0, 'nothing had to be loaded');
	} finally {
		await page.unroute('**/_app/immutable/**');
	}
	await openDialog();
	await page.keyboard.press('Escape');
});

await step('a click on the chat one is in leaves it there, though its first message was refused', async () => {
	await newChatWith(page, 'fake-echo');
	await refuse(403);
	const chat = await refusedChat('please answer');
	await page.getByTestId('chat-list').locator(`[data-chat-id="${chat}"] a`).click();
	check((await page.request.get(page.url())).ok() && (await chatExists(chat)), 'the chat is gone');
	check((await composer.inputValue()) === 'please answer', await composer.inputValue());
});

await step('what was refused and what still uploads wait in the next new chat, below what was typed there', async () => {
	await page.getByTestId('new-chat').click();
	await page.waitForURL((url) => url.pathname === '/');
	check((await composer.inputValue()) === 'please answer', await composer.inputValue());
	await composer.fill('typed before');
	await page.getByTestId('suggestion').first().click();
	await page.waitForURL('**/c/*');
	await page.getByTestId('refusal').waitFor();
	const refused = await composer.inputValue();
	const chat = new URL(page.url()).pathname.split('/').at(-1);
	await composer.fill('typed later');
	await page.route(`${RETRIEVAL}/uploads`, () => undefined);
	await page.getByTestId('attach-input').setInputFiles({ name: 'slow.txt', mimeType: 'text/plain', buffer: Buffer.from('slow') });
	await chips('slow.txt').waitFor();
	await page.getByTestId('new-chat').click();
	await page.waitForURL((url) => url.pathname === '/');
	const value = await composer.inputValue();
	for (const text of ['typed before', 'typed later', refused]) check(text !== '' && value.includes(text), `“${text}” is not in “${value}”`);
	check((await chips('slow.txt').getAttribute('data-state')) === 'uploading', 'the upload is gone');
	check(!(await chatExists(chat)), 'the empty chat is still there');
	await page.unroute(`${RETRIEVAL}/uploads`);
	await page.getByTestId('attachment-remove').first().click();
});

await step('a chat whose first message met a fault of the server stays', async () => {
	await page.unroute('**/api/v1/chats/*/messages');
	await newChatWith(page, 'fake-echo');
	await refuse(500);
	const chat = await refusedChat('try me');
	await page.getByTestId('new-chat').click();
	await page.waitForURL((url) => url.pathname === '/');
	check(await chatExists(chat), 'the chat is gone');
	await page.unroute('**/api/v1/chats/*/messages');
	await page.getByTestId('chat-list').locator(`[data-chat-id="${chat}"] a`).click();
	await page.waitForURL(`**/c/${chat}`);
	check((await composer.inputValue()) === 'try me', await composer.inputValue());
	await send(page, 'try me');
	await ended(page, 'complete');
});

await step('no script error and no violation of the content policy', async () => {
	const ours = problems.filter((problem) => !/status of (403|500)|ERR_FAILED/.test(problem));
	check(ours.length === 0, ours.join('\n'));
});

await browser.close();
