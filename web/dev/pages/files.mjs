// Files and knowledge bases: name -> [address, what to do there, what to arrange before]
import {
	file,
	problem,
	refuse,
	away,
	hang,
	change,
	GERMAN,
	manyFiles,
	manyBases,
	choose,
	within
} from './doing.mjs';

export const FILE_PAGES = {
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
	'files-choose': [
		'/',
		async (page) => {
			await page.getByTestId('attach').click();
			await page.getByTestId('attach-existing').click();
			await page.getByTestId('add-option').first().getByRole('checkbox').check();
			await page.getByTestId('attach-dialog').getByRole('searchbox').fill('donau');
			await page.waitForTimeout(300);
		},
		change('**/retrieval/files?*', (files) => ({ ...manyFiles(files), has_more: false }))
	],
	'files-choose-none': [
		'/',
		async (page) => {
			await page.getByTestId('attach').click();
			await page.getByTestId('attach-existing').click();
			await page.getByTestId('attach-dialog').locator('fieldset p').waitFor();
		},
		change('**/retrieval/files?*', (files) => ({ ...files, data: [], has_more: false }))
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
	]
};
