// Chats: name -> [address, what to do there, what to arrange before]
import {
	openChat,
	send,
	attach,
	hasFocus,
	finished,
	refuse,
	away,
	change,
	GERMAN,
	LISTS,
	AGENT,
	manyBases,
	manyAgents
} from './doing.mjs';

export const CHAT_PAGES = {
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
	]
};
