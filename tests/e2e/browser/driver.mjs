// What every browser script needs: Chromium, one JSON line a step {step, ok, detail, ms}, pictures, and a list of script errors.
//   ATRIUM_URL, WEB_DIR (where playwright-core is installed), OUT_DIR (pictures), CHROMIUM
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { ATRIUM_URL, WEB_DIR, OUT_DIR, CHROMIUM } = process.env;
const { chromium } = createRequire(join(WEB_DIR, 'package.json'))('playwright-core');

export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
// Refusals that a step provokes on purpose arrive as failed requests, which the browser logs by itself.
const PROVOKED = /the server responded with a status of (401|402|404|429)/;

mkdirSync(OUT_DIR, { recursive: true });
export const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
export const problems = [];

export async function open(options = {}) {
	const context = await browser.newContext({ viewport: WIDE, baseURL: ATRIUM_URL, reducedMotion: 'reduce', ...options });
	context.setDefaultTimeout(15_000);
	const page = await context.newPage();
	page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
	page.on('console', (message) => {
		if (message.type() === 'error' && !PROVOKED.test(message.text())) problems.push(`${page.url()}: ${message.text()}`);
	});
	return page;
}

export const check = (condition, detail) => {
	if (!condition) throw new Error(detail);
};

export const picture = (page, name) => page.screenshot({ path: join(OUT_DIR, `${name}.png`) });

/** Runs and reports one step; `page` is looked up when it fails, for a picture. */
export const stepper = (page) => async (name, run) => {
	const started = Date.now();
	try {
		const detail = (await run()) ?? '';
		console.log(JSON.stringify({ step: name, ok: true, detail: String(detail), ms: Date.now() - started }));
	} catch (error) {
		await picture(page(), `failed-${name.replaceAll(' ', '-')}`).catch(() => {});
		console.log(JSON.stringify({ step: name, ok: false, detail: String(error.message ?? error), ms: Date.now() - started }));
	}
};

export async function signUp(page, { name, email, password }) {
	await page.goto('/signup');
	await page.getByTestId('name').fill(name);
	await page.getByTestId('email').fill(email);
	await page.getByTestId('password').fill(password);
	await page.getByTestId('submit').click();
	await page.getByTestId('composer').waitFor();
}

export async function newChatWith(page, model) {
	await page.goto('/');
	await page.getByTestId('composer').waitFor();
	await page.getByTestId('model-picker').click();
	await page.locator(`[data-testid=model-option][data-model="${model}"]`).click();
}

export async function send(page, text) {
	await page.getByTestId('composer').fill(text);
	await page.keyboard.press('Enter');
	await page.locator('[data-testid=message][data-role=assistant]').last().waitFor();
}

export const newest = (page) => page.locator('[data-testid=message][data-role=assistant]').last();
export const textOf = async (message) => (await message.getByTestId('reply-text').innerText()).trim();
/** Until the newest reply has this status; a failure tells what it has come to instead. */
export async function ended(page, status, options) {
	try {
		await page.locator(`[data-testid=message][data-role=assistant][data-status=${status}]`).last().waitFor(options);
	} catch (error) {
		const reply = newest(page);
		const found = (await reply.count()) ? `${await reply.getAttribute("data-status")}: ${(await reply.innerText()).slice(0, 300)}` : "no reply";
		throw new Error(`${error.message}\nthe newest reply is ${found}`);
	}
}
export const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
// Pages scroll inside their frame; a window that scrolls as well has two scroll bars. A new size of the window takes a frame or two.
export const windowStays = (page) =>
	page.waitForFunction(() => document.documentElement.scrollHeight <= window.innerHeight, null, { timeout: 5000 }).then(
		() => true,
		() => false
	);
