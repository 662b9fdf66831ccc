/**
 * Every text of the pages: `t('chat.send')`, in the language that is in use. Plain state, so that pure code
 * can use it too.
 */
import type { en } from './en';
import { entry } from './en/entry';
import { format, type Params, type Value } from './message';

export type MessageKey = keyof typeof en;
export type Catalogue = Record<MessageKey, string>;

/**
 * What a name in braces is: `name` of `{name}` and `{name, plural, …}`; a branch such as `{# files}` is none.
 */
type Named<Text extends string> = Text extends `${infer Head},${string}` ? Braced<Head> : Braced<Text>;
type Braced<Text extends string> = Text extends `${infer Name}}${string}` ? Word<Name> : Word<Text>;
type Word<Text extends string> = Text extends '' | `${string} ${string}` | `#${string}` ? never : Text;
type Names<Text extends string> = Text extends `${string}{${infer Rest}` ? Named<Rest> | Names<Rest> : never;

/** The parameters of a message, by the English one. */
type ParamsOf<Key extends MessageKey> = Names<(typeof en)[Key]>;
type Arguments<Key extends MessageKey> = [ParamsOf<Key>] extends [never]
	? []
	: [Record<ParamsOf<Key>, Value>];

/** The keys of messages without parameters: what tables of words hold. */
export type PlainKey = { [Key in MessageKey]: [ParamsOf<Key>] extends [never] ? Key : never }[MessageKey];

export interface Language {
	/** As in <html lang> and for Intl. */
	tag: string;
	/** Without `rest` until `wantAll` was called: the pages before sign-in need little. */
	catalogue: Catalogue;
	/** What the pages of those who are signed in say. */
	rest: () => Promise<Partial<Catalogue>>;
	/** What servers say, by code; where a code is missing, their own words are shown. */
	errors: Partial<Record<string, string>>;
	/** What is done to each piece of own text: only the language for tests does something. */
	change?: (text: string) => string;
}

export const ENGLISH: Language = {
	tag: 'en',
	catalogue: { ...entry } as Catalogue,
	rest: () => import('./en/app').then(({ app }) => app),
	errors: {}
};

let current = ENGLISH;
let all = false;

/** Loads what else a language says, once it is wanted. */
export async function complete(language: Language): Promise<Language> {
	if (all) Object.assign(language.catalogue, await language.rest());
	return language;
}

/** From now on every text is there, in this language and in the ones chosen later. */
export async function wantAll(): Promise<void> {
	all = true;
	await complete(current);
}

export function useLanguage(language: Language): void {
	current = language;
}

/** For Intl: numbers and dates are written as the texts around them. */
export function languageTag(): string {
	return current.tag;
}

export function t<Key extends MessageKey>(key: Key, ...[params]: Arguments<Key>): string {
	return format(current.catalogue[key], (params ?? {}) as Params, current.tag, current.change);
}

/**
 * What a server's error says in this language; null where it has no words for the code, or lacks what they
 * name.
 */
export function errorText(code: string, fields: Record<string, unknown>): string | null {
	const message = current.errors[code];
	if (message === undefined) return null;
	const known = Object.entries(fields).filter(
		([, value]) => typeof value === 'string' || typeof value === 'number'
	);
	const text = format(message, Object.fromEntries(known) as Params, current.tag, current.change);
	return /\{\w+\}/.test(text) ? null : text;
}
