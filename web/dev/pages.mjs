// The pages and states looked at and checked: what to do on each, and what the API answers there when it is not what the mock says.
import { Buffer } from 'node:buffer';

const CHAT = '[data-testid=chat-row] a';
const openChat = async (page, index) => {
	if (await page.getByTestId('open-navigation').isVisible())
		await page.getByTestId('open-navigation').click();
	await page.locator(CHAT).locator('visible=true').nth(index).click();
	await page.getByTestId('composer').waitFor();
	await page.waitForTimeout(700);
};
const send = async (page, text) => {
	await page.getByTestId('composer').fill(text);
	await page.keyboard.press('Enter');
};

const file = (name, size = 3_000) => ({ name, mimeType: 'application/pdf', buffer: Buffer.alloc(size, 'x') });
const attach = async (page, ...names) =>
	page.getByTestId('attach-input').setInputFiles(names.map((name) => file(name)));
/** Waits until the nth of these has the focus. */
const hasFocus = (page, testid, n) =>
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
const finished = async (page, text) => {
	await send(page, text);
	await page.getByTestId('regenerate').last().waitFor();
	await page.waitForTimeout(300);
};
/** From now on these addresses are answered so. */
const problem = (status, code, detail, extra = {}) => ({
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
const refuse =
	(path, ...about) =>
	(page) =>
		page.route(path, (route) => route.fulfill(problem(...about)));
const away = (path) =>
	refuse(path, 503, 'service_unavailable', 'the service does not answer just now; try again in a moment');
/** It never answers. */
const hang = (path) => (page) => page.route(path, () => undefined);
/** The mock's answer, changed. */
const change = (path, edit) => (page) =>
	page.route(path, async (route) => {
		const response = await route.fetch();
		await route.fulfill({ response, json: edit(await response.json()) });
	});
const GERMAN = 'Rechtsschutzversicherungsgesellschaftenverzeichnis';
const LISTS =
	'First:\n\n1. boil water\n2. add salt\n\n```sh\npot --on\n```\n\n3. add pasta\n4. wait until it is done\n\nThen:\n\n- [ ] wash **up**\n  - [ ] plates\n- [x] buy pasta [x]\n- no task';
const AGENT = '/?agent=a0000000-0000-4000-8000-00000000a001';
const many = (list, count, edit) => ({
	...list,
	data: Array.from({ length: count }, (_, i) => ({ ...list.data[i % list.data.length], ...edit(i) }))
});
const manyFiles = (list) => ({
	...many(list, 50, (i) => ({
		document_id: `0193f000-0000-7000-8000-8${String(i).padStart(11, '0')}`,
		...(i % 7 === 0 ? { filename: `${GERMAN}-${i}_Donaudampfschifffahrtsgesellschaftskapitän.pdf` } : {})
	})),
	has_more: true
});
const manyBases = (list) =>
	many(list, 24, (i) => ({
		id: `base-${i}`,
		name: i % 3 === 0 ? `${GERMAN} ${i}` : `Knowledge base ${i}`,
		file_count: i * 137
	}));
const manyAgents = (list) =>
	many(list, 30, (i) => ({
		id: `agent-${i}`,
		name: i % 3 === 1 ? `${GERMAN} ${i}` : `Agent ${i}`,
		description: `${GERMAN}, ${GERMAN} und alles, was in den Anlagen dazu steht`,
		built_in: false,
		writable: true
	}));
/** One of the choices of a segmented control, by its value: its words are another language's. */
const choose = (page, testid, value) =>
	page
		.getByTestId(testid)
		.locator('label', { has: page.locator(`input[value=${value}]`) })
		.click();

const within = (page, row, testid) =>
	page.getByTestId(row).nth(1).locator('xpath=ancestor::tr').getByTestId(testid);

// name -> [address, what to do there, what to arrange before]
const SIGNED_IN = {
	new: ['/'],
	chat: ['/', (page) => openChat(page, 0)],
	states: ['/', (page) => openChat(page, 1)],
	streaming: [
		'/',
		async (page) => {
			await send(page, 'Explain double-entry ledgers.');
			await page.getByTestId('code-block').first().waitFor();
			await page.waitForTimeout(400);
		}
	],
	refused: [
		'/',
		async (page) => {
			await send(page, 'Tell me more #wallet');
			await page.getByTestId('refusal').waitFor();
		}
	],
	'refused-ask': [
		'/',
		async (page) => {
			await send(page, 'Tell me more #wallet #ask');
			await page.getByTestId('refusal').waitFor();
		}
	],
	unsent: [
		'/',
		async (page) => {
			await send(page, 'Tell me more #refuse');
			await page.getByTestId('refusal').waitFor();
		}
	],
	cut: ['/', (page) => finished(page, 'Explain ledgers #length #think #leftout')],
	thinking: [
		'/',
		async (page) => {
			await send(page, 'Explain ledgers #think #slow');
			await page.getByTestId('reasoning-text').getByText('three transfers').waitFor();
		}
	],
	thought: [
		'/',
		async (page) => {
			await finished(page, 'Explain ledgers #think #short');
			await page.reload();
			await page.getByTestId('reasoning').locator('summary').click();
		}
	],
	filtered: ['/', (page) => finished(page, 'Something else #filter')],
	declined: ['/', (page) => finished(page, 'Something else #decline')],
	broken: ['/', (page) => finished(page, 'Explain ledgers #broke #short')],
	away: [
		'/',
		async (page) => {
			await send(page, 'Explain ledgers #away');
			await page.locator('[data-testid=reply-waiting][data-reason=service_away]').waitFor();
		}
	],
	tasks: [
		'/',
		(page) => finished(page, 'Make a list'),
		change('**/chats/*/messages?*', (list) => ({
			...list,
			data: list.data.map((m) => (m.role === 'assistant' ? { ...m, content: LISTS } : m))
		}))
	],
	picker: [
		'/',
		async (page) => {
			await page.getByTestId('model-picker').click();
			await page.getByTestId('model-option').first().waitFor();
		}
	],
	palette: [
		'/usage',
		async (page) => {
			await page.keyboard.press('Control+k');
			await page.getByTestId('palette-input').fill('plan');
		}
	],
	drawer: [
		'/',
		async (page) => {
			if (await page.getByTestId('open-navigation').isVisible())
				await page.getByTestId('open-navigation').click();
			await page.getByTestId('account-menu').locator('visible=true').click();
		}
	],
	attaching: [
		'/',
		async (page) => {
			await attach(
				page,
				'report-2026.pdf',
				'slow-minutes-of-the-annual-general-meeting-of-the-cooperative.pdf'
			);
			await page.locator('[data-testid=attachment-chip][data-state=indexing]').first().waitFor();
			await page.waitForTimeout(900);
			await send(page, 'Sum up both files.');
			await page.locator('[data-testid=composer-waits][data-held=true]').waitFor();
		}
	],
	'attach-failed': [
		'/',
		async (page) => {
			await attach(page, 'fail-locked.pdf', 'picture.png');
			await page
				.locator('[data-testid=attachment-chip][data-state=failed]')
				.nth(1)
				.waitFor({ timeout: 15_000 });
			await page.getByTestId('composer').fill('Sum it up.');
		}
	],
	'attach-quota': [
		'/',
		async (page) => {
			await attach(page, 'board-meeting.pdf');
			await page.locator('[data-testid=attachment-chip][data-state=failed]').waitFor();
		},
		refuse(
			'**/retrieval/uploads',
			413,
			'quota_exceeded',
			'your files hold 49800000 of 50000000 bytes, so 3100000 more do not fit; delete some first'
		)
	],
	'attach-many': [
		'/',
		async (page) => {
			await attach(
				page,
				`${GERMAN}_Donaudampfschifffahrtsgesellschaft_2026-11-22.pdf`,
				...Array.from({ length: 14 }, (_, i) => `part-${i + 1}.pdf`)
			);
			await page.getByTestId('attachment-chip').nth(14).waitFor();
			await page.waitForTimeout(1_500);
		}
	],
	knowledge: [
		'/',
		async (page) => {
			await page.getByTestId('knowledge-picker').click();
			await page.getByTestId('knowledge-option').first().click();
			await page.getByTestId('knowledge-option').nth(2).click();
		}
	],
	'agent-picker': [
		'/',
		async (page) => {
			await page.getByTestId('agent-picker').click();
			await page.getByTestId('agent-option').nth(1).waitFor();
		}
	],
	'knowledge-many': [
		'/',
		async (page) => {
			await page.getByTestId('knowledge-picker').click();
			await page.getByTestId('knowledge-option').nth(5).waitFor();
			await page.keyboard.press('ArrowDown');
			await page.keyboard.press('ArrowDown');
		},
		change('**/retrieval/knowledge-bases*', manyBases)
	],
	'knowledge-failed': [
		'/',
		async (page) => {
			await page.getByTestId('knowledge-picker').click();
			await page.getByTestId('knowledge-panel').getByRole('alert').waitFor();
		},
		away('**/retrieval/knowledge-bases*')
	],
	'agent-many': [
		'/',
		async (page) => {
			await page.getByTestId('agent-picker').click();
			await page.getByTestId('agent-option').nth(20).waitFor();
			await page.keyboard.press('End');
		},
		change('**/api/v1/agents?*', manyAgents)
	],
	'agent-chosen': [
		'/?agent=agent-1&knowledge=base-0&knowledge=base-3',
		(page) => attach(page, 'notes-of-the-meeting.pdf'),
		async (page) => {
			await change('**/retrieval/knowledge-bases*', manyBases)(page);
			await change('**/api/v1/agents?*', manyAgents)(page);
		}
	],
	'pickers-keyboard': [
		'/',
		async (page) => {
			await page.getByTestId('agent-picker').press('Enter');
			await page.getByTestId('agent-option').nth(1).waitFor();
			await page.keyboard.press('End');
			await hasFocus(page, 'agent-option', 3);
			await page.keyboard.press('c');
			await page.keyboard.press('Enter');
			await hasFocus(page, 'agent-picker', 0);
			await page.getByTestId('agent-picker').getByText('Contract reader').waitFor();
			await page.getByTestId('knowledge-picker').press('Enter');
			await page.getByTestId('knowledge-option').nth(2).waitFor();
			await page.keyboard.press('ArrowDown');
			await page.keyboard.press('Space');
			await page.locator('[data-testid=knowledge-picker][data-count="1"]').waitFor();
			await page.keyboard.press('Escape');
			await hasFocus(page, 'knowledge-picker', 0);
			await page.getByTestId('model-picker').press('Enter');
			await page.getByTestId('model-option').nth(1).waitFor();
			await page.keyboard.press('Escape');
			await hasFocus(page, 'model-picker', 0);
		}
	],
	'agent-reply': [AGENT, (page) => finished(page, 'What is 37 * 91? #tools')],
	'agent-live': [
		AGENT,
		async (page) => {
			await send(page, 'What is 37 * 91? #tools #slow');
			await page.locator('[data-testid=tool-call][data-tool=python]').waitFor();
		}
	],
	'agent-waiting': [
		AGENT,
		async (page) => {
			await send(page, 'What is 37 * 91? #tools #queue');
			await page.locator('[data-testid=reply-waiting][data-reason=model_busy]').waitFor();
		}
	],
	approval: [
		AGENT,
		async (page) => {
			await send(page, 'Draw it #approval');
			await page.getByTestId('approve').waitFor();
		}
	],
	denied: [
		AGENT,
		async (page) => {
			await send(page, 'Draw it #approval');
			await page.getByTestId('deny').press('Enter');
			await page.getByTestId('regenerate').last().waitFor();
			if ((await page.getByTestId('tool-call').count()) === 0)
				await page.getByTestId('activity-summary').click();
			await page.getByTestId('tool-call').first().locator('button').first().click();
		}
	],
	undecided: [
		AGENT,
		async (page) => {
			await send(page, 'Draw it #approval');
			await page.getByTestId('approve').click();
			await page.getByTestId('toast').waitFor();
		},
		refuse('**/approvals/*', 409, 'decided_already', 'this call was decided already')
	],
	'tool-failed': [
		AGENT,
		async (page) => {
			await finished(page, 'What is 37 * 91? #tools');
			await page.getByTestId('activity-summary').click();
			await page.locator('[data-testid=tool-call][data-status=failed] > button').click();
		}
	],
	'picture-failed': [AGENT, (page) => finished(page, 'Draw it #tools'), away('**/runs/*/files/*')],
	'run-limit': [AGENT, (page) => finished(page, 'Go on and on #tools #limit')],
	sources: [
		'/',
		async (page) => {
			await attach(page, 'handbook.pdf');
			await page
				.locator('[data-testid=attachment-chip][data-state=ready]')
				.waitFor({ timeout: 20_000 });
			await finished(page, 'How many days of leave? #cite');
		}
	],
	passage: [
		'/',
		async (page) => {
			await finished(page, 'How many days of leave? #cite');
			await page.getByTestId('citation').first().click();
			await page.getByTestId('citation-passage').waitFor();
			await page.waitForTimeout(300);
		}
	],
	'passage-keyboard': [
		'/',
		async (page) => {
			await finished(page, 'How many days of leave? #cite');
			await page.getByTestId('citation').nth(1).focus();
			await page.keyboard.press('Enter');
			await page.getByTestId('citation-passage').waitFor();
			await page.getByTestId('citation-panel').getByText('14').waitFor();
			await page.keyboard.press('Escape');
			await hasFocus(page, 'citation', 1);
			await page.keyboard.press('Enter');
			await page.getByTestId('citation-passage').waitFor();
			await page.keyboard.press('Tab');
		}
	],
	'passage-gone': [
		'/',
		async (page) => {
			await finished(page, 'How many days of leave? #cite');
			await page.getByTestId('source').first().click();
			await page.getByTestId('citation-panel').getByRole('status').waitFor();
		},
		refuse('**/retrieval/files/*/chunks/*', 404, 'chunk_not_found', 'there is no such passage')
	],
	files: ['/files', (page) => page.getByTestId('files-table').waitFor()],
	'files-upload': [
		'/files',
		async (page) => {
			await page.getByTestId('files-input').setInputFiles([file('slow-new.pdf'), file('photo.png')]);
			await page.locator('[data-testid=attachment-chip][data-state=failed]').waitFor();
			await page.locator('[data-testid=files-row][data-stage=parsing]').waitFor();
		}
	],
	'files-quota': [
		'/files',
		async (page) => {
			await page.getByTestId('files-input').setInputFiles([file('board-meeting.pdf')]);
			await page.locator('[data-testid=attachment-chip][data-state=failed]').waitFor();
		},
		async (page) => {
			await refuse(
				'**/retrieval/uploads',
				413,
				'quota_exceeded',
				'your files hold 49800000 of 50000000 bytes, so 3100000 more do not fit; delete some first'
			)(page);
			await change('**/retrieval/quota', (quota) => ({ ...quota, bytes: 49_800_000 }))(page);
		}
	],
	'files-many': [
		'/files',
		(page) => page.getByTestId('files-more').waitFor(),
		async (page) => {
			await change('**/retrieval/files?*', manyFiles)(page);
			await change('**/retrieval/knowledge-bases*', manyBases)(page);
		}
	],
	'files-failed': ['/files', (page) => page.getByTestId('error-state').waitFor(), away('**/retrieval/**')],
	'files-loading': ['/files', undefined, hang('**/retrieval/**')],
	'files-delete': [
		'/files',
		async (page) => {
			await page.getByTestId('files-table').waitFor();
			await within(page, 'files-row', 'file-menu').click();
			await page.getByTestId('file-delete').click();
			await page.getByTestId('confirm-action').waitFor();
		}
	],
	'files-not-deleted': [
		'/files',
		async (page) => {
			await page.getByTestId('files-table').waitFor();
			await within(page, 'files-row', 'file-menu').click();
			await page.getByTestId('file-delete').click();
			await page.getByTestId('confirm-action').click();
			await page.getByTestId('toast').waitFor();
		},
		(page) =>
			page.route('**/retrieval/files/*', (route) =>
				route.request().method() === 'DELETE'
					? route.fulfill(
							problem(
								503,
								'vector_store_unavailable',
								'the vector store does not answer; nothing was deleted'
							)
						)
					: route.continue()
			)
	],
	'files-retry': [
		'/files',
		async (page) => {
			await page
				.locator('[data-testid=files-row][data-stage=failed]')
				.last()
				.locator('xpath=ancestor::tr')
				.getByTestId('file-menu')
				.click();
			await page.getByTestId('file-retry').waitFor();
		}
	],
	'files-menu': [
		'/files',
		async (page) => {
			await page.getByTestId('files-table').waitFor();
			await within(page, 'files-row', 'file-menu').click();
		}
	],
	'files-base': [
		'/files',
		async (page) => {
			await page.getByTestId('knowledge-row').first().locator('button').first().click();
			await page.getByTestId('knowledge-add-files').click();
			await page.getByTestId('add-option').first().waitFor();
		}
	],
	'files-new': ['/files?new=knowledge', (page) => page.getByTestId('knowledge-name').waitFor()],
	'files-search': [
		'/files',
		async (page) => {
			await choose(page, 'files-tab', 'search');
			await page.getByTestId('search-query').fill('How many days of leave can be carried over?');
			await page.getByTestId('search-run').click();
			await page.getByTestId('search-trace').waitFor();
		}
	],
	'files-search-words': [
		'/files',
		async (page) => {
			await choose(page, 'files-tab', 'search');
			await choose(page, 'search-mode', 'bm25');
			await page.getByTestId('search-query').fill(`${GERMAN} ${GERMAN}`);
			await page.keyboard.press('Enter');
			await page.getByTestId('search-trace').scrollIntoViewIfNeeded();
		}
	],
	'files-search-none': [
		'/files',
		async (page) => {
			await choose(page, 'files-tab', 'search');
			await page.getByTestId('search-query').fill('nothing of the kind');
			await page.keyboard.press('Enter');
			await page.getByTestId('empty-state').waitFor();
		}
	],
	'files-search-refused': [
		'/files',
		async (page) => {
			await choose(page, 'files-tab', 'search');
			await page.getByTestId('search-query').fill('How many days of leave?');
			await page.keyboard.press('Enter');
			await page.getByTestId('error-state').waitFor();
		},
		refuse(
			'**/retrieval/search',
			503,
			'embedding_unavailable',
			'the embedding model does not answer, so nothing can be found by meaning; try again, or search with mode bm25'
		)
	],
	agents: ['/agents', (page) => page.getByTestId('tools-table').waitFor()],
	'agents-edit': [
		'/agents',
		async (page) => {
			await page.getByTestId('tools-table').waitFor();
			await page.getByTestId('agent-edit').first().click();
			await page.getByTestId('agent-approval').first().waitFor();
		}
	],
	'agents-many': [
		'/agents',
		(page) => page.getByTestId('tools-table').waitFor(),
		change('**/api/v1/agents?*', manyAgents)
	],
	'agents-failed': [
		'/agents',
		(page) => page.getByTestId('error-state').nth(1).waitFor(),
		away('**/api/v1/agents**')
	],
	'agents-loading': ['/agents', undefined, hang('**/api/v1/agents**')],
	'agents-limits': [
		'/agents',
		async (page) => {
			await page.getByTestId('new-agent').click();
			await page.getByTestId('agent-name').fill('fail');
			await page.getByTestId('agent-steps').fill('9000');
			await page.getByTestId('agent-submit').click();
			await page.getByTestId('form-error').scrollIntoViewIfNeeded();
		},
		(page) =>
			page.route('**/api/v1/agents', (route) =>
				route.request().method() === 'POST'
					? route.fulfill(
							problem(422, 'limit_too_high', 'limits.steps_max can be 50 at most', {
								errors: [{ field: 'limits.steps_max', message: 'can be 50 at most' }]
							})
						)
					: route.continue()
			)
	],
	'agents-delete': [
		'/agents',
		async (page) => {
			await page.getByTestId('agent-delete').first().click();
			await page.getByTestId('confirm-action').waitFor();
		}
	],
	servers: ['/admin/tools', (page) => page.getByTestId('servers-table').waitFor()],
	'servers-add': ['/admin/tools', (page) => page.getByTestId('add-server').click()],
	'servers-named': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('add-server').click();
			await page.getByTestId('server-people-search').fill('example');
			await page.getByTestId('server-person').nth(1).check();
			await page.getByTestId('server-person').nth(2).check();
			await page.getByTestId('server-people-search').fill('lucia');
			await page.getByTestId('server-role').first().check();
			await page.getByTestId('server-people-search').scrollIntoViewIfNeeded();
		}
	],
	'servers-edit': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('server-menu').first().click();
			await page.getByTestId('server-edit').click();
			await page.getByTestId('server-url').fill('https://elsewhere.example.com/mcp');
			await page.getByTestId('server-submit').click();
			await page.locator('[aria-invalid=true]').first().waitFor();
		}
	],
	'servers-approval': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('server-menu').first().click();
			await page.getByTestId('server-edit').click();
			await page.getByTestId('server-more').click();
			await page.getByTestId('server-call-timeout').scrollIntoViewIfNeeded();
		}
	],
	'servers-people-failed': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('add-server').click();
			await page.getByTestId('server-dialog').getByTestId('error-state').scrollIntoViewIfNeeded();
		},
		away('**/admin/teams**')
	],
	'servers-bad-name': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('add-server').click();
			await page.getByTestId('server-name').fill('Tickets!');
			await page.getByTestId('server-url').fill('https://tickets.example.com/mcp');
			await page.getByTestId('server-submit').click();
			await page.locator('[aria-invalid=true]').first().waitFor();
		}
	],
	'servers-refused': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('add-server').click();
			await page.getByTestId('server-name').fill('tickets');
			await page.getByTestId('server-url').fill('https://tickets.example.com/mcp');
			await page.getByTestId('server-submit').click();
			await page.getByTestId('form-error').waitFor();
		},
		(page) =>
			page.route('**/agents/mcp-servers', (route) =>
				route.request().method() === 'POST'
					? route.fulfill(
							problem(
								409,
								'mcp_server_name_taken',
								'an MCP server of this name exists already; choose another name'
							)
						)
					: route.continue()
			)
	],
	'servers-menu': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('server-menu').last().click();
			await page.getByTestId('server-switch').waitFor();
		}
	],
	'servers-failing': [
		'/admin/tools',
		async (page) => {
			await page.getByTestId('server-check').nth(2).click();
			await page.getByTestId('toast').waitFor();
		}
	],
	'servers-failed': [
		'/admin/tools',
		(page) => page.getByTestId('error-state').waitFor(),
		away('**/mcp-servers')
	],
	'servers-none': [
		'/admin/tools',
		(page) => page.getByTestId('empty-state').waitFor(),
		change('**/mcp-servers', (list) => ({ ...list, data: [] }))
	],
	usage: ['/usage', (page) => page.locator('canvas').waitFor()],
	keys: ['/keys'],
	'keys-new': ['/keys', (page) => page.getByTestId('create-key').click()],
	'keys-once': [
		'/keys',
		async (page) => {
			await page.getByTestId('create-key').click();
			await page.getByTestId('key-name').fill('Laptop');
			await page.getByTestId('key-submit').click();
			await page.getByTestId('new-key').waitFor();
		}
	],
	settings: ['/settings'],
	prices: ['/admin/prices', (page) => page.getByTestId('unpriced').waitFor()],
	'prices-set': ['/admin/prices?model=acme/large', (page) => page.getByTestId('price-input').waitFor()],
	wallet: ['/admin/wallet', (page) => page.getByTestId('wallet-available').waitFor()],
	'wallet-budget': ['/admin/wallet', (page) => page.getByTestId('new-budget').click()],
	users: ['/admin/users'],
	'users-admin': [
		'/admin/users',
		async (page) => {
			await page.getByTestId('user-role').first().selectOption('admin');
			await page.getByTestId('confirm-action').waitFor();
		}
	],
	'users-delete': [
		'/admin/users',
		async (page) => {
			await page.getByTestId('user-menu').first().click();
			await page.getByTestId('delete-user').click();
			await page.getByTestId('delete-user-email').fill('ben@example.com');
		}
	],
	'users-delete-refused': [
		'/admin/users',
		async (page) => {
			await page.getByTestId('user-menu').first().click();
			await page.getByTestId('delete-user').click();
			const address = await page.getByTestId('delete-user-dialog').locator('[id$=-hint]').innerText();
			await page.getByTestId('delete-user-email').fill(address);
			await page.getByTestId('delete-user-submit').click();
			await page.getByTestId('form-error').waitFor();
		},
		refuse(
			'**/api/v1/admin/users/*',
			403,
			'forbidden',
			'this account holds more than yours; ask its administrator'
		)
	],
	'users-suspend': [
		'/admin/users',
		async (page) => {
			await page.getByTestId('suspend-user').first().click();
			await page.getByTestId('confirm-action').waitFor();
		}
	],
	'too-long': [
		'/',
		async (page) => {
			await page.getByTestId('composer').fill('word '.repeat(40_002));
			await page.getByTestId('composer-too-long').waitFor();
		}
	],
	status: ['/admin/status', (page) => page.getByTestId('status-headline').waitFor()],
	missing: ['/c/none'],
	notfound: ['/nowhere/at/all']
};
export const RUNS = [
	[{ MOCK_SIGNED_IN: '1' }, SIGNED_IN],
	[
		{ MOCK_SETUP: '1' },
		{ setup: ['/signup?setup=abc', (page) => page.getByTestId('setup-note').waitFor()] }
	],
	[
		{},
		{
			signin: ['/signin', (page) => page.getByTestId('signin-form').waitFor()],
			signup: ['/signup', (page) => page.getByTestId('signup-form').waitFor()],
			'signup-taken': [
				'/signup',
				async (page) => {
					await page.getByTestId('name').fill('Ada Moreau');
					await page.getByTestId('email').fill('taken@example.com');
					await page.getByTestId('password').fill('a long enough one');
					await page.getByTestId('submit').click();
					await page.getByTestId('form-error').waitFor();
				}
			],
			'signup-closed': [
				'/signup',
				undefined,
				change('**/auth/config', (config) => ({ ...config, signup_open: false }))
			],
			'signin-loading': ['/signin', undefined, hang('**/auth/config')],
			'signin-wrong': [
				'/signin',
				async (page) => {
					await page.getByTestId('email').fill('ada@example.com');
					await page.getByTestId('password').fill('wrong');
					await page.getByTestId('submit').click();
					await page.getByTestId('form-error').waitFor();
				}
			]
		}
	],
	[
		{ MOCK_SIGNED_IN: '1', MOCK_EMPTY: '1', MOCK_LOADING: '2000' },
		{
			'empty-new': ['/', (page) => page.getByTestId('composer-notice').waitFor()],
			pending: [
				'/',
				(page) => page.getByTestId('pending-account').waitFor(),
				change('**/auth/refresh', (token) => ({ ...token, user: { ...token.user, role: 'pending' } }))
			],
			'empty-knowledge': [
				'/',
				async (page) => {
					await page.getByTestId('knowledge-picker').click();
					await page.getByTestId('knowledge-panel').locator('p').waitFor();
				}
			],
			'empty-usage': ['/usage'],
			'empty-keys': ['/keys'],
			'empty-files': ['/files', (page) => page.getByTestId('empty-state').waitFor()],
			'empty-agents': ['/agents', (page) => page.getByTestId('tools-table').waitFor()],
			waiting: [
				'/',
				async (page) => {
					await send(page, 'Hello');
					await page.getByTestId('reply-waiting').locator('[role=progressbar]').waitFor();
				}
			]
		}
	]
];
