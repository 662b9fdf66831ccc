// What is done on the pages, and what the API answers there when it is not what the mock says.
import { Buffer } from 'node:buffer';

export const CHAT = '[data-testid=chat-row] a';
export const openChat = async (page, index) => {
	if (await page.getByTestId('open-navigation').isVisible())
		await page.getByTestId('open-navigation').click();
	await page.locator(CHAT).locator('visible=true').nth(index).click();
	await page.getByTestId('composer').waitFor();
	await page.waitForTimeout(700);
};
export const send = async (page, text) => {
	await page.getByTestId('composer').fill(text);
	await page.keyboard.press('Enter');
};

export const file = (name, size = 3_000) => ({
	name,
	mimeType: 'application/pdf',
	buffer: Buffer.alloc(size, 'x')
});
export const attach = async (page, ...names) =>
	page.getByTestId('attach-input').setInputFiles(names.map((name) => file(name)));
/** Waits until the nth of these has the focus. */
export const hasFocus = (page, testid, n) =>
	page
		.waitForFunction(
			([id, at]) =>
				document.activeElement !== null &&
				document.activeElement === document.querySelectorAll(`[data-testid=${id}]`)[at],
			[testid, n],
			{ timeout: 3_000 }
		)
		.catch(() => {
			throw new Error(`the focus is not on ${testid} ${n}`);
		});
/** Sends and waits for the end of the reply. */
export const finished = async (page, text) => {
	await send(page, text);
	await page.getByTestId('regenerate').last().waitFor();
	await page.waitForTimeout(300);
};
/** From now on these addresses are answered so. */
export const problem = (status, code, detail, extra = {}) => ({
	status,
	contentType: 'application/problem+json',
	body: JSON.stringify({
		type: 'about:blank',
		title: code,
		status,
		code,
		detail,
		request_id: 'req_0193f0',
		...extra
	})
});
export const refuse =
	(path, ...about) =>
	(page) =>
		page.route(path, (route) => route.fulfill(problem(...about)));
export const away = (path) =>
	refuse(path, 503, 'service_unavailable', 'the service does not answer just now; try again in a moment');
/** It never answers. */
export const hang = (path) => (page) => page.route(path, () => undefined);
/** The mock's answer, changed. */
export const change = (path, edit) => (page) =>
	page.route(path, async (route) => {
		const response = await route.fetch();
		await route.fulfill({ response, json: edit(await response.json()) });
	});
export const GERMAN = 'Rechtsschutzversicherungsgesellschaftenverzeichnis';
export const LISTS =
	'First:\n\n1. boil water\n2. add salt\n\n```sh\npot --on\n```\n\n3. add pasta\n4. wait until it is done\n\nThen:\n\n- [ ] wash **up**\n  - [ ] plates\n- [x] buy pasta [x]\n- no task';
export const AGENT = '/?agent=a0000000-0000-4000-8000-00000000a001';
export const many = (list, count, edit) => ({
	...list,
	data: Array.from({ length: count }, (_, i) => ({ ...list.data[i % list.data.length], ...edit(i) }))
});
export const manyFiles = (list) => ({
	...many(list, 50, (i) => ({
		document_id: `0193f000-0000-7000-8000-8${String(i).padStart(11, '0')}`,
		...(i % 7 === 0 ? { filename: `${GERMAN}-${i}_Donaudampfschifffahrtsgesellschaftskapitän.pdf` } : {})
	})),
	has_more: true
});
export const manyBases = (list) =>
	many(list, 24, (i) => ({
		id: `base-${i}`,
		name: i % 3 === 0 ? `${GERMAN} ${i}` : `Knowledge base ${i}`,
		file_count: i * 137
	}));
export const manyAgents = (list) =>
	many(list, 30, (i) => ({
		id: `agent-${i}`,
		name: i % 3 === 1 ? `${GERMAN} ${i}` : `Agent ${i}`,
		description: `${GERMAN}, ${GERMAN} und alles, was in den Anlagen dazu steht`,
		built_in: false,
		writable: true
	}));
/** One of the choices of a segmented control, by its value: its words are another language's. */
export const choose = (page, testid, value) =>
	page
		.getByTestId(testid)
		.locator('label', { has: page.locator(`input[value=${value}]`) })
		.click();

export const within = (page, row, testid) =>
	page.getByTestId(row).nth(1).locator('xpath=ancestor::tr').getByTestId(testid);
