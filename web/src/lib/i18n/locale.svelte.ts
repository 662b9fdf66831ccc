/** Which language the pages are in: the person's choice in this browser, else the browser's own. */
import { readStored, writeStored } from '$lib/state/storage';
import { complete, ENGLISH, useLanguage, type Language } from './index';

const KEY = 'atrium-language';

interface Locale {
	/** In its own words. */
	name: string;
	dir: 'ltr' | 'rtl';
	load: () => Promise<Language>;
}

export const LOCALES = {
	en: { name: 'English', dir: 'ltr', load: () => Promise.resolve(ENGLISH) },
	de: { name: 'Deutsch', dir: 'ltr', load: () => import('./de').then(({ GERMAN }) => GERMAN) },
	/**
	 * Longer and accented English: shows what has no room, and what is not in the catalogue. For tests; not
	 * offered.
	 */
	'en-XA': { name: 'Pseudo', dir: 'ltr', load: () => import('./pseudo').then(({ PSEUDO }) => PSEUDO) }
} satisfies Record<string, Locale>;

export type LocaleId = keyof typeof LOCALES;
export const OFFERED: LocaleId[] = ['en', 'de'];

export const isLocale = (id: string | null): id is LocaleId => id !== null && id in LOCALES;

/** The first of the wanted languages that there is; English when there is none. */
export function bestOf(wanted: readonly string[]): LocaleId {
	for (const tag of wanted) {
		const found = OFFERED.find((id) => id === tag.toLowerCase().split('-')[0]);
		if (found) return found;
	}
	return 'en';
}

class LocaleState {
	/** `system`: as the browser says. */
	choice = $state<LocaleId | 'system'>('system');
	current = $state<LocaleId>('en');

	async start(): Promise<void> {
		const stored = readStored(KEY);
		this.choice = isLocale(stored) ? stored : 'system';
		await this.#apply();
	}

	async set(choice: LocaleId | 'system'): Promise<void> {
		this.choice = choice;
		writeStored(KEY, choice === 'system' ? null : choice);
		await this.#apply();
	}

	async #apply(): Promise<void> {
		const id = this.choice === 'system' ? bestOf(navigator.languages) : this.choice;
		// A catalogue that does not load must not keep anybody out: the pages stay as they are.
		const language = await LOCALES[id]
			.load()
			.then(complete)
			.catch(() => null);
		if (language === null) return;
		const tag = navigator.languages.find((one) => one.startsWith(`${language.tag}-`)) ?? language.tag;
		useLanguage({ ...language, tag });
		this.current = id;
		document.documentElement.lang = language.tag;
		document.documentElement.dir = LOCALES[id].dir;
	}
}

export const locale = new LocaleState();
