// The pages and states looked at and checked, by what the mock is told to play.
import { OTHER_PAGES } from './pages/agents.mjs';
import { CHAT_PAGES } from './pages/chat.mjs';
import { send, hang, change } from './pages/doing.mjs';
import { FILE_PAGES } from './pages/files.mjs';

const SIGNED_IN = { ...CHAT_PAGES, ...FILE_PAGES, ...OTHER_PAGES };

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
