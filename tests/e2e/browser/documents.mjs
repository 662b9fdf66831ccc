// Documents, agents and code in a real browser, with the built-in model. Prints one JSON line a step.
//   Besides what driver.mjs reads: PASSWORD, BUILTIN_MODEL, HANDBOOK (a PDF), ADMIN_EMAIL, MCP_URL (a server of tools)
import { PHONE, WIDE, browser, check, ended, newChatWith, newest, open, picture, problems, send, sideways, signUp, stepper, textOf } from './driver.mjs';

const { PASSWORD, BUILTIN_MODEL, HANDBOOK, ADMIN_EMAIL, MCP_URL } = process.env;
const EMAIL = `dora-${Date.now().toString(36)}@example.com`;
const MODEL_TIMEOUT = { timeout: 120_000 };
const CODE =
	'!call=python !args={"code":"import\\u0020matplotlib.pyplot\\u0020as\\u0020plt\\nplt.plot([3,1,4,1,5])\\nplt.title(\\u0022Five\\u0022)\\nprint(\\u0022plotted\\u0022)"}';

let page = await open();
const step = stepper(() => page);

async function chooseAgent(name) {
	await page.getByTestId('agent-picker').click();
	await page.getByTestId('agent-option').filter({ hasText: name }).first().click();
}

await step('sign up', () => signUp(page, { name: 'Dora Documents', email: EMAIL, password: PASSWORD }));

await step('a PDF is attached and indexed before the message goes', async () => {
	await newChatWith(page, BUILTIN_MODEL);
	await page.getByTestId('attach-input').setInputFiles(HANDBOOK);
	await page.locator('[data-testid=attachment-chip][data-state=ready]').waitFor({ timeout: 60_000 });
	await picture(page, 'attached');
});

await step('the built-in model answers from it and the citation opens its page', async () => {
	await send(page, 'What is the name of the lighthouse keeper of Norrholm?');
	await ended(page, 'complete', MODEL_TIMEOUT);
	const text = await textOf(newest(page));
	check(text.includes('Brandvik'), text);
	await newest(page).getByTestId('citation').first().click();
	await page.getByTestId('citation-panel').waitFor();
	const passage = await page.getByTestId('citation-passage').innerText();
	check(passage.includes('Brandvik'), passage);
	check(/page 2|p\. ?2|Page 2/.test(await page.getByTestId('citation-panel').innerText()), await page.getByTestId('citation-panel').innerText());
	await picture(page, 'citation');
	await page.getByTestId('citation-close').click();
	return text;
});

await step('answer, sources and attachment are there after a reload', async () => {
	await page.reload();
	await page.getByTestId('message-attachment').first().waitFor();
	await newest(page).getByTestId('citation').first().waitFor();
	check((await textOf(newest(page))).includes('Brandvik'), 'the answer is gone');
});

await step('a new agent is given the calculator', async () => {
	await page.goto('/agents');
	await page.getByTestId('new-agent').click();
	await page.getByTestId('agent-name').fill('Reckoner');
	await page.locator('[data-testid=agent-tool][data-tool=calculator]').click();
	await picture(page, 'agent-edit');
	await page.getByTestId('agent-submit').click();
	await page.getByTestId('agent-card').filter({ hasText: 'Reckoner' }).waitFor();
	await picture(page, 'agents');
});

await step('the built-in model calls the calculator and says the result', async () => {
	await newChatWith(page, BUILTIN_MODEL);
	await chooseAgent('Reckoner');
	await send(page, 'What is 37 * 91? Use the calculator.');
	await ended(page, 'complete', MODEL_TIMEOUT);
	check((await newest(page).getByTestId('activity-summary').count()) === 1, `no tool was called: ${await textOf(newest(page))}`);
	const call = newest(page).locator('[data-testid=tool-call][data-tool=calculator]').first();
	if (!(await call.isVisible())) await newest(page).getByTestId('activity-summary').click();
	await call.waitFor();
	check((await call.getAttribute('data-status')) === 'done', await call.innerText());
	const text = await textOf(newest(page));
	check(text.replaceAll(',', '').includes('3367'), text);
	await picture(page, 'calculator');
	return text;
});

await step('code runs and its plot is in the chat', async () => {
	await newChatWith(page, 'fake-echo');
	await chooseAgent('Assistant');
	await send(page, CODE);
	await ended(page, 'complete', { timeout: 90_000 });
	const image = newest(page).getByTestId('run-image').first();
	await image.waitFor();
	await page.waitForFunction(() => {
		const shown = document.querySelector('[data-testid=run-image] img, img[data-testid=run-image]');
		return shown?.complete && shown.naturalWidth > 100;
	});
	await picture(page, 'plot');
});

await step('the files page lists it and the search bench says why', async () => {
	await page.goto('/files');
	await page.locator('[data-testid=files-row][data-stage=ready]').first().waitFor();
	await picture(page, 'files');
	await page.getByTestId('files-tab').filter({ hasText: /search/i }).click();
	await page.getByTestId('search-query').fill('Who keeps the lighthouse?');
	await page.getByTestId('search-run').click();
	await page.getByTestId('search-passage').first().waitFor();
	check((await page.getByTestId('search-results').innerText()).includes('Brandvik'), 'the passage is not found');
	await page.getByTestId('search-trace').first().waitFor();
	await picture(page, 'search');
});

await step('a deleted file leaves the list', async () => {
	await page.goto('/files');
	await page.getByTestId('file-menu').first().click();
	await page.getByTestId('file-delete').click();
	await page.getByTestId('confirm-action').click();
	await page.getByTestId('files-row').first().waitFor({ state: 'detached' });
});

const person = page;
let administrator;

async function signIn(email) {
	const fresh = await open();
	await fresh.goto('/signin');
	await fresh.getByTestId('email').fill(email);
	await fresh.getByTestId('password').fill(PASSWORD);
	await fresh.getByTestId('submit').click();
	await fresh.getByTestId('composer').waitFor();
	return fresh;
}

/** Whether the person is offered the server's tools; asked again until it is so, as it counts from the next look on. */
async function offered(wanted) {
	const tool = person.locator('[data-testid=tool-state][data-tool=tickets__echo][data-available=true]');
	for (const until = Date.now() + 15_000; ; ) {
		await person.goto('/agents');
		await person.locator('[data-testid=tool-state][data-tool=calculator]').waitFor();
		if ((await tool.count() > 0) === wanted) return;
		check(Date.now() < until, `the tools of the server are ${wanted ? 'not ' : ''}offered`);
	}
}

const who = () => administrator.locator('[data-testid=server-row][data-server=tickets] ~ td').getByTestId('server-who').locator('visible=true').innerText();

await step('an administrator adds a server of tools, and a wrong name is told in words', async () => {
	page = administrator = await signIn(ADMIN_EMAIL);
	await page.goto('/admin/tools');
	await page.getByTestId('add-server').first().click();
	await page.getByTestId('server-name').fill('Tickets!');
	await page.getByTestId('server-url').fill(MCP_URL);
	await page.getByTestId('server-submit').click();
	const dialog = page.getByTestId('server-dialog');
	await dialog.getByText('Use lower case letters and digits').waitFor();
	check(!(await dialog.innerText()).includes('pattern'), await dialog.innerText());
	await page.getByTestId('server-name').fill('tickets');
	await page.getByTestId('server-submit').click();
	await page.locator('[data-testid=server-row][data-server=tickets][data-state=ok]').waitFor();
	check((await who()) === 'Administrators only', await who());
	await offered(false);
});

await step('whom the administrator names is offered its tools', async () => {
	await page.getByRole('button', { name: 'Actions for tickets' }).click();
	await page.getByTestId('server-edit').click();
	await page.getByTestId('server-people-search').fill(EMAIL);
	await page.getByTestId('server-person').check();
	await page.getByTestId('server-approval').nth(1).check();
	await picture(page, 'server-edit');
	await page.getByTestId('server-submit').click();
	await page.getByTestId('server-dialog').waitFor({ state: 'detached' });
	await page.getByTestId('server-who').filter({ hasText: 'Dora Documents' }).locator('visible=true').waitFor();
	await page.getByText('Asks before every call').locator('visible=true').waitFor();
	await offered(true);
});

await step('a deleted server takes its tools along', async () => {
	await page.getByRole('button', { name: 'Actions for tickets' }).click();
	await page.getByTestId('server-delete').click();
	await page.getByTestId('confirm-action').click();
	await page.locator('[data-testid=server-row][data-server=tickets]').waitFor({ state: 'detached' });
	await administrator.context().close();
	page = person;
	await offered(false);
});

await step('the new pages fit a phone and the dark', async () => {
	await page.emulateMedia({ colorScheme: 'dark' });
	for (const path of ['/files', '/agents']) {
		await page.setViewportSize(PHONE);
		await page.goto(path);
		await page.waitForLoadState('networkidle').catch(() => {});
		check(!(await sideways(page)), `${path} scrolls sideways`);
		await picture(page, `phone${path.replace('/', '-')}`);
		await page.setViewportSize(WIDE);
		await picture(page, `dark${path.replace('/', '-')}`);
	}
});

await step('no script error and no violation of the content policy', async () => {
	check(problems.length === 0, problems.join('\n'));
});

await browser.close();
