// Agents, servers of tools, and the pages of one's own and of administrators: name -> [address, what to do
// there, what to arrange before]
import { problem, refuse, away, hang, change, manyAgents } from './doing.mjs';

export const OTHER_PAGES = {
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
