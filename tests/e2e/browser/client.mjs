// What a person relies on in the client: what they wrote is not lost, not shown to the next person, and a long chat can be read to its first message.
//   Besides what driver.mjs reads: PASSWORD, LONG_EMAIL (owns LONG_CHAT), LONG_CHAT (turns "question 1" to "question LONG_TURNS"), LONG_TURNS
import { WIDE, browser, check, ended, newChatWith, newest, open, picture, problems, send, signUp, stepper, textOf } from './driver.mjs';

const { PASSWORD, LONG_EMAIL, LONG_CHAT } = process.env;
const LONG_TURNS = Number(process.env.LONG_TURNS);
const SECRET = 'my salary is 81,250 and nobody may know';
const MARKDOWN = 'First:\n\n1. boil water\n2. add salt\n\n```sh\npot --on\n```\n\n3. add pasta\n4. wait\n\n> rest\n\n5. eat\n\n- [ ] wash **up**\n- [x] buy pasta\n\n7) seven\n';
const newEmail = (name) => `${name}-${Date.now().toString(36)}@example.com`;

let page = await open();
const step = stepper(() => page);
const messages = (role) => page.locator(`[data-testid=message][data-role=${role}]`);

/** Everything this browser keeps for pages of the origin, as one text. */
const kept = () =>
	page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));

/** The answer of the API, changed on its way to the page. */
const change = (path, edit) =>
	page.route(path, async (route) => {
		if (route.request().method() !== 'GET') return route.fallback();
		const response = await route.fetch();
		await route.fulfill({ response, json: edit(await response.json()) });
	});

async function signIn(email, where = page) {
	await where.getByTestId('email').fill(email);
	await where.getByTestId('password').fill(PASSWORD);
	await where.getByTestId('submit').click();
	await where.getByTestId('account-menu').waitFor();
}

async function signOut() {
	await page.getByTestId('account-menu').click();
	await page.getByTestId('sign-out').click();
	await page.getByTestId('signin-form').waitFor();
}

const lastQuestion = () => messages('user').filter({ hasText: `question ${LONG_TURNS}.` }).waitFor();

const [first, next] = ['first', 'next'].map(newEmail);
await step('sign up', () => signUp(page, { name: 'Frida First', email: first, password: PASSWORD }));

await step('lists keep their numbers and tasks are named checkboxes', async () => {
	await newChatWith(page, 'fake-echo');
	await send(page, 'How is pasta made?');
	await ended(page, 'complete');
	await page.waitForURL('**/c/*');
	await change('**/chats/*/messages?*', (list) => ({ ...list, data: list.data.map((m) => (m.role === 'assistant' ? { ...m, content: MARKDOWN } : m)) }));
	await page.reload();
	await newest(page).locator('ol').first().waitFor();
	const starts = await newest(page).locator('ol').evaluateAll((lists) => lists.map((list) => list.start));
	check(JSON.stringify(starts) === '[1,3,5,7]', `the lists begin at ${starts}`);
	const tasks = newest(page).locator('li input');
	check((await tasks.count()) === 2, `${await tasks.count()} tasks`);
	for (const [name, checked] of [['wash up', false], ['buy pasta', true]]) {
		const box = newest(page).getByRole('checkbox', { name, exact: true });
		check((await box.count()) === 1, `no checkbox is named ${name}`);
		check(await box.isDisabled(), `${name} can be changed`);
		check((await box.isChecked()) === checked, `${name} is ${checked ? 'not ' : ''}checked`);
		check((await box.boundingBox()).width < 30, 'a task is as wide as a text field');
	}
	await picture(page, 'lists');
	await page.unroute('**/chats/*/messages?*');
});

await step('no address but a web address or a mail address is a link', async () => {
	const bad = '[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org/c) [d](mailto:a@example.org) <b onclick="x()">raw</b>';
	await change('**/chats/*/messages?*', (list) => ({ ...list, data: list.data.map((m) => (m.role === 'assistant' ? { ...m, content: bad } : m)) }));
	await page.reload();
	await newest(page).getByRole('link', { name: 'c', exact: true }).waitFor();
	const links = await newest(page).locator('a[href]').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
	check(JSON.stringify(links) === '["https://example.org/c","mailto:a@example.org"]', JSON.stringify(links));
	check((await newest(page).locator('b, [onclick]').count()) === 0, 'raw HTML was drawn');
	await page.unroute('**/chats/*/messages?*');
});

await step('a reply cut by its length looks cut, after a reload too, and goes on', async () => {
	await newChatWith(page, 'fake-echo');
	await send(page, 'A tale !length');
	await ended(page, 'complete');
	await page.waitForURL('**/c/*');
	const cut = await textOf(newest(page));
	check((await newest(page).getByTestId('reply-unfinished').innerText()).includes('cut off'), 'nothing says that it is cut');
	await page.reload();
	await newest(page).getByTestId('continue').click();
	await page.waitForFunction((before) => {
		const message = [...document.querySelectorAll('[data-testid=message][data-role=assistant]')].at(-1);
		const text = message?.querySelector('[data-testid=reply-text]')?.textContent ?? '';
		return message?.dataset.status === 'complete' && text.trim().length > before;
	}, cut.length);
	check((await textOf(newest(page))).startsWith(cut), 'what was there before is gone');
});

await step('what the model thought stays with the reply, folded', async () => {
	await newChatWith(page, 'fake-reasoning');
	await send(page, 'Why is that?');
	await ended(page, 'complete');
	await page.waitForURL('**/c/*');
	for (const when of ['at the end', 'after a reload']) {
		const reasoning = newest(page).getByTestId('reasoning');
		await reasoning.waitFor();
		check(!(await reasoning.evaluate((details) => details.open)), `${when} it is not folded`);
		await reasoning.locator('summary').click();
		const said = await newest(page).getByTestId('reasoning-text').innerText();
		check(said === 'thinking it over', `${when} it reads ${said}`);
		if (when === 'at the end') await page.reload();
	}
});

await step('what the model did not see is said, and how a reply ended', async () => {
	const states = [
		[{ left_out: { messages: 12, passages: 1, window_tokens: 4096 } }, 'left-out', '12 earlier messages and 1 passage'],
		[{ finish_reason: 'content_filter', content: '' }, 'reply-unfinished', 'content filter'],
		[{ finish_reason: 'refusal', content: 'I cannot.' }, 'reply-unfinished', 'declined'],
		[{ finish_reason: 'reasoning_only', content: '' }, 'reply-unfinished', 'no answer']
	];
	for (const [fields, testid, words] of states) {
		await change('**/chats/*/messages?*', (list) => ({ ...list, data: list.data.map((m) => (m.role === 'assistant' ? { ...m, ...fields } : m)) }));
		await page.reload();
		const line = newest(page).getByTestId(testid);
		await line.waitFor();
		check((await line.innerText()).includes(words), await line.innerText());
		await page.unroute('**/chats/*/messages?*');
	}
});

await step('the program comes compressed, and not much of it', async () => {
	const other = await page.context().browser().newContext({ baseURL: new URL(page.url()).origin });
	const fresh = await other.newPage();
	const loaded = [];
	fresh.on('response', (response) => /\.(js|css)$/.test(new URL(response.url()).pathname) && loaded.push(response));
	await fresh.goto('/signin');
	await signIn(first, fresh);
	await fresh.getByTestId('chat-row').first().locator('a').first().click();
	await newest(fresh).waitFor();
	await fresh.waitForLoadState('networkidle');
	let [plain, sent] = [0, 0];
	for (const response of loaded) {
		const body = await response.body();
		const { responseBodySize } = await response.request().sizes();
		check(body.length < 300 || response.headers()['content-encoding'] === 'br', `${response.url()} is not compressed`);
		if (!response.url().endsWith('.js')) continue;
		plain += body.length;
		sent += responseBodySize;
	}
	await other.close();
	check(loaded.length > 5, `only ${loaded.length} files were asked for`);
	const size = `${Math.round(sent / 1000)} kB of JavaScript for ${Math.round(plain / 1000)} kB`;
	check(sent < 140_000, size);
	return size;
});

/**
 * The first request of the page to `path` gets no answer; `seen` tells when it came, `free` ends it.
 * @param arrives the server does what it asks all the same
 */
async function holdOnce(method, path, { arrives = false } = {}) {
	let free;
	const gate = new Promise((resolve) => (free = resolve));
	let arrived;
	const seen = new Promise((resolve) => (arrived = resolve));
	let used = false;
	await page.route(path, async (route) => {
		if (used || route.request().method() !== method) return route.fallback();
		used = true;
		if (arrives) await route.fetch();
		arrived(route);
		await gate;
		await route.abort().catch(() => undefined);
	});
	return { seen, free };
}

async function answeredOnce(text) {
	await ended(page, 'complete');
	await page.waitForURL('**/c/*');
	check((await messages('user').count()) === 1, `the question is there ${await messages('user').count()} times`);
	check((await textOf(newest(page))) === text, await textOf(newest(page)));
	await page.reload();
	await ended(page, 'complete');
	check((await messages('user').count()) === 1, 'after another reload the question is there twice');
	check((await page.getByTestId('composer').inputValue()) === '', 'the text stands in the composer too');
	const chats = await page.getByTestId('chat-row').filter({ hasText: text }).count();
	check(chats === 1, `there are ${chats} chats`);
}

const startWith = async (text) => {
	await page.getByTestId('composer').fill(text);
	await page.keyboard.press('Enter');
};

await step('a reload before the chat exists loses no first message', async () => {
	await newChatWith(page, 'fake-echo');
	const held = await holdOnce('POST', '**/api/v1/chats');
	await startWith('Lost before the chat?');
	await held.seen;
	await page.reload();
	held.free();
	await answeredOnce('Lost before the chat?');
});

await step('a reload after the chat was made and before anybody heard of it makes no second one', async () => {
	await newChatWith(page, 'fake-echo');
	await page.unroute('**/api/v1/chats');
	const held = await holdOnce('POST', '**/api/v1/chats', { arrives: true });
	await startWith('Made twice?');
	await held.seen;
	await page.reload();
	held.free();
	await answeredOnce('Made twice?');
	await page.unroute('**/api/v1/chats');
});

await step('a reload before the message arrives loses nothing', async () => {
	await newChatWith(page, 'fake-echo');
	const held = await holdOnce('POST', '**/chats/*/messages');
	await startWith('Lost on the way?');
	await held.seen;
	await page.reload();
	held.free();
	await answeredOnce('Lost on the way?');
	await page.unroute('**/chats/*/messages');
});

await step('a message that arrived before the reload is not sent twice', async () => {
	await newChatWith(page, 'fake-echo');
	const held = await holdOnce('POST', '**/chats/*/messages', { arrives: true });
	await startWith('Sent twice?');
	await held.seen;
	await page.reload();
	held.free();
	await answeredOnce('Sent twice?');
	await page.unroute('**/chats/*/messages');
});

await step('a reload right after a further message loses nothing', async () => {
	const held = await holdOnce('POST', '**/chats/*/messages');
	await startWith('And then?');
	await held.seen;
	await page.reload();
	held.free();
	await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=message][data-role=assistant][data-status=complete]')].length === 2);
	check((await textOf(newest(page))) === 'And then?', await textOf(newest(page)));
	check((await messages('user').count()) === 2, `${await messages('user').count()} questions`);
	await page.unroute('**/chats/*/messages');
});

await step('leaving for another page at once sends it all the same', async () => {
	await newChatWith(page, 'fake-echo');
	await page.route('**/chats/*/messages', async (route) => {
		if (route.request().method() === 'POST') await new Promise((resolve) => setTimeout(resolve, 400));
		await route.fallback();
	});
	await startWith('Left alone?');
	await page.waitForURL('**/c/*');
	const here = page.url();
	await page.getByTestId('nav-files').click();
	await page.waitForURL('**/files');
	const stored = () =>
		page.evaluate(async (chat) => {
			const { access_token: token } = await (await fetch('/api/v1/auth/refresh', { method: 'POST' })).json();
			const answer = await fetch(`/api/v1/chats/${chat}/messages`, { headers: { authorization: `Bearer ${token}` } });
			return (await answer.json()).data.length;
		}, here.split('/').at(-1));
	for (const until = Date.now() + 10_000; (await stored()) < 2 && Date.now() < until; ) await page.waitForTimeout(200);
	check((await stored()) === 2, `the server has ${await stored()} messages`);
	await page.unroute('**/chats/*/messages');
});

await step('the first question waits for one answer only', async () => {
	await newChatWith(page, 'fake-echo');
	const before = [];
	const asked = page.waitForRequest((request) => {
		const path = new URL(request.url()).pathname;
		const here = request.method() === 'POST' && path.endsWith('/messages');
		if (!here && path.startsWith('/api/v1/chats')) before.push(`${request.method()} ${path}`);
		return here;
	});
	await startWith('How many round trips?');
	await asked;
	check(JSON.stringify(before) === '["POST /api/v1/chats"]', before.join(', '));
	await ended(page, 'complete');
});

await step('a text that is too long is kept whole and said to be too long', async () => {
	await page.goto('/');
	const text = 'word '.repeat(40_002);
	await page.getByTestId('composer').fill(text);
	await page.getByTestId('composer-too-long').waitFor();
	check((await page.getByTestId('composer').inputValue()).length === text.length, 'a part of the text is gone');
	check(await page.getByTestId('send').isDisabled(), 'it can be sent');
	await page.getByTestId('composer').fill('');
	await page.getByTestId('composer-too-long').waitFor({ state: 'detached' });
});

await step('a new name of a chat reaches its open page, and a suggestion leaves what was typed', async () => {
	await page.getByTestId('composer').fill('Half a thought');
	await page.getByTestId('suggestion').first().click();
	await page.waitForURL('**/c/*');
	const row = page.getByTestId('chat-row').first();
	await row.hover();
	await row.getByTestId('chat-menu').click();
	await page.getByTestId('rename-chat').click();
	await page.getByTestId('rename-input').fill('Renamed here');
	await page.keyboard.press('Enter');
	await page.waitForFunction(() => document.title.startsWith('Renamed here'));
	await page.goto('/');
	check((await page.getByTestId('composer').inputValue()) === 'Half a thought', 'what was typed is gone');
	await page.getByTestId('composer').fill('');
});

await step('who waits for approval gets in once let in', async () => {
	const waits = async (route) => {
		const response = await route.fetch();
		const answer = await response.json();
		await route.fulfill({ response, json: { ...answer, user: { ...answer.user, role: 'pending' } } });
	};
	await page.route('**/auth/refresh', waits);
	await page.reload();
	await page.getByTestId('pending-account').waitFor();
	await page.unroute('**/auth/refresh', waits);
	await page.getByTestId('ask-again').click();
	await page.getByTestId('composer').waitFor();
	await page.getByTestId('chat-row').first().waitFor();
});

await step('nothing of a person is left for the next one', async () => {
	await page.goto('/');
	await page.getByTestId('composer').fill(SECRET);
	await page.getByTestId('chat-row').first().locator('a').first().click();
	await page.waitForURL('**/c/*');
	await page.getByTestId('composer').fill(`${SECRET}, not here either`);
	const theirs = page.url();
	check((await kept()).includes('salary'), 'a draft is not kept at all');
	await page.reload();
	await page.getByTestId('composer').waitFor();
	check((await page.getByTestId('composer').inputValue()).includes('salary'), 'the draft does not outlive a reload');
	await signOut();
	check(!(await kept()).includes('salary'), `kept after the sign-out: ${await kept()}`);
	check(!page.url().includes('next='), page.url());
	await page.goto('/signup');
	await signUp(page, { name: 'Nora Next', email: next, password: PASSWORD });
	check((await page.getByTestId('composer').inputValue()) === '', await page.getByTestId('composer').inputValue());
	check(new URL(page.url()).pathname === '/', page.url());
	await page.goto(theirs);
	await page.getByTestId('empty-state').waitFor();
	const left = await kept();
	check(!left.includes('salary'), left);
});

await step('a session that ends by itself leaves its page to its person only', async () => {
	await newChatWith(page, 'fake-echo');
	await startWith('Whose page is this?');
	await ended(page, 'complete');
	const theirs = new URL(page.url()).pathname;
	await page.getByTestId('composer').fill('An open question');
	const ends = async () => {
		await page.getByTestId('remaining').waitFor();
		await page.context().clearCookies();
		await page.route('**/api/v1/billing/**', (route) => route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"code":"unauthenticated","status":401,"detail":"sign in"}' }));
		await page.getByTestId('remaining').evaluate((link) => link.click());
		await page.getByTestId('signin-form').waitFor();
		await page.unroute('**/api/v1/billing/**');
	};
	await ends();
	check(page.url().includes('next='), page.url());
	await signIn(first);
	await page.getByTestId('composer').waitFor();
	check(new URL(page.url()).pathname === '/', `${page.url()} is another person's page`);
	check((await page.getByTestId('composer').inputValue()) === '', await page.getByTestId('composer').inputValue());
	await ends();
	await signIn(first);
	await page.waitForURL('**/usage');
	await signOut();
	await signIn(next);
	await page.getByTestId('composer').waitFor();
	await page.goto(theirs);
	await page.getByTestId('reply-text').waitFor();
	check((await page.getByTestId('composer').inputValue()) === 'An open question', 'what was written before the session ended is gone');
});

await step('a long chat is read to its first message, in its order', async () => {
	await page.context().close();
	page = await open();
	await page.goto('/signin');
	await signIn(LONG_EMAIL);
	await page.goto(`/c/${LONG_CHAT}`);
	await lastQuestion();
	await page.waitForTimeout(300);
	await page.getByTestId('transcript').hover();
	const shown = () =>
		page.evaluate(() => {
			const box = document.querySelector('[data-testid=transcript]').parentElement;
			const top = box.getBoundingClientRect().top;
			const inView = [...document.querySelectorAll('[data-testid=message][data-role=user]')].filter((m) => {
				const { bottom, y } = m.getBoundingClientRect();
				return bottom > top && y < innerHeight;
			});
			return inView.map((m) => Number(/question (\d+)\./.exec(m.innerText)?.[1]));
		});
	let seen = await shown();
	const deadline = Date.now() + 150_000;
	while (!seen.includes(1)) {
		check(Date.now() < deadline, `stuck at question ${seen[0]}`);
		await page.mouse.wheel(0, -650);
		await page.waitForTimeout(25);
		const next = await shown();
		if (next.length === 0) continue;
		check(next.some((n) => n >= seen[0] - 8 && n <= seen.at(-1)), `the view jumped from question ${seen[0]} to question ${next.at(-1)}`);
		seen = next;
	}
	await picture(page, 'first-of-many');
	check((await page.getByText('Loading earlier messages').count()) === 0, 'it still says that earlier messages load');
	return seen.join(' ');
});

await step('and back to its last', async () => {
	const top = await page.evaluate(() => {
		const box = document.querySelector('[data-testid=transcript]').parentElement;
		return box.scrollHeight;
	});
	check(top > 10_000, `${top}`);
	for (let i = 0; i < 12; i += 1) {
		await page.mouse.wheel(0, 900);
		await page.waitForTimeout(30);
	}
	await page.getByTestId('to-end').click();
	await page.waitForFunction(() => {
		const box = document.querySelector('[data-testid=transcript]').parentElement;
		return box.scrollHeight - box.scrollTop - box.clientHeight < 4;
	});
	await lastQuestion();
});

await step('what is read stays where it is while older messages come in', async () => {
	await page.reload();
	await lastQuestion();
	await page.waitForTimeout(300);
	let free;
	const gate = new Promise((resolve) => (free = resolve));
	await page.route('**/messages?*before=*', async (route) => {
		await gate;
		await route.fallback();
	});
	const box = () => page.evaluate(() => document.querySelector('[data-testid=transcript]').parentElement.scrollTop);
	await page.getByTestId('transcript').hover();
	for (let i = 0; i < 60 && (await box()) > 0; i += 1) {
		await page.mouse.wheel(0, -900);
		await page.waitForTimeout(40);
	}
	await page.waitForTimeout(300);
	const where = () =>
		page.evaluate(() => {
			const top = document.querySelector('[data-testid=transcript]').parentElement.getBoundingClientRect().top;
			const seen = [...document.querySelectorAll('[data-testid=message]')].filter((m) => m.getBoundingClientRect().bottom > top + 60);
			return { id: seen[0].dataset.messageId, y: seen[0].getBoundingClientRect().top };
		});
	const before = await where();
	const count = await page.getByTestId('message').count();
	free();
	await page.waitForFunction((had) => document.querySelectorAll('[data-testid=message]').length > had, count);
	await page.waitForTimeout(400);
	const y = await page.locator(`[data-message-id="${before.id}"]`).evaluate((m) => m.getBoundingClientRect().top);
	check(Math.abs(y - before.y) < 3, `what was read moved by ${Math.round(y - before.y)} px`);
	await page.unroute('**/messages?*before=*');
});

await step('earlier messages that do not load can be asked for again', async () => {
	await page.reload();
	await lastQuestion();
	await page.waitForTimeout(300);
	let away = true;
	await page.route('**/messages?*before=*', (route) => (away ? route.abort() : route.fallback()));
	await page.getByTestId('transcript').hover();
	for (let i = 0; i < 60 && !(await page.getByTestId('earlier-retry').isVisible()); i += 1) {
		await page.mouse.wheel(0, -900);
		await page.waitForTimeout(40);
	}
	const count = await page.getByTestId('message').count();
	away = false;
	await page.getByTestId('earlier-retry').click();
	await page.waitForFunction((had) => document.querySelectorAll('[data-testid=message]').length > had, count);
	await page.unroute('**/messages?*before=*');
});

await step('no script error and no violation of the content policy', async () => {
	const own = problems.filter((line) => !/ERR_FAILED|net::ERR_/.test(line));
	check(own.length === 0, own.join('\n'));
	await page.setViewportSize(WIDE);
});

await browser.close();
