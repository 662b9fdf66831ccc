/**
 * Messages with parameters and plurals, in the part of ICU's syntax that the catalogues use:
 * `{name}`, `{count, plural, one {# file} other {# files}}` and `{kind, select, a {…} other {…}}`. No
 * quoting. Pure.
 */

export type Value = string | number;
export type Params = Record<string, Value>;

type Part = string | { name: string; kind: 'plain' | 'plural' | 'select'; branches: Map<string, Part[]> };

const NUMBER_SIGN = '#';
const parsed = new Map<string, Part[]>();

/** @throws SyntaxError on a message that is not closed; the tests read every catalogue */
export function partsOf(message: string): Part[] {
	const known = parsed.get(message);
	if (known) return known;
	const { parts, end } = read(message, 0);
	if (end !== message.length) throw new SyntaxError(`There is a } too many: ${message}`);
	parsed.set(message, parts);
	return parts;
}

function read(message: string, from: number): { parts: Part[]; end: number } {
	const parts: Part[] = [];
	let at = from;
	while (at < message.length && message[at] !== '}') {
		if (message[at] === '{') {
			const found = readArgument(message, at + 1);
			parts.push(found.part);
			at = found.end;
			continue;
		}
		const next = message.slice(at).search(/[{}]/);
		const end = next < 0 ? message.length : at + next;
		parts.push(message.slice(at, end));
		at = end;
	}
	return { parts, end: at };
}

function readArgument(message: string, from: number): { part: Part; end: number } {
	const head = /^\s*(\w+)\s*(?:,\s*(plural|select)\s*,\s*)?/.exec(message.slice(from));
	if (!head) throw new SyntaxError(`A { has no name: ${message}`);
	const name = head[1] ?? '';
	const kind = (head[2] ?? 'plain') as 'plain' | 'plural' | 'select';
	const branches = new Map<string, Part[]>();
	let at = from + head[0].length;
	for (;;) {
		const branch = /^\s*(=?\w+)\s*\{/.exec(message.slice(at));
		if (!branch || kind === 'plain') break;
		const inside = read(message, at + branch[0].length);
		branches.set(branch[1] ?? '', inside.parts);
		at = inside.end + 1;
	}
	const close = /^\s*\}/.exec(message.slice(at));
	if (!close) throw new SyntaxError(`A { is not closed: ${message}`);
	return { part: { name, kind, branches }, end: at + close[0].length };
}

/** @param change what is done to each piece of the message's own text */
export function format(
	message: string,
	params: Params,
	language: string,
	change = (text: string) => text
): string {
	return write(partsOf(message), { params, language, change, number: null });
}

interface Context {
	params: Params;
	language: string;
	change: (text: string) => string;
	/** What # stands for inside a plural. */
	number: string | null;
}

function write(parts: Part[], context: Context): string {
	return parts
		.map((part) => (typeof part === 'string' ? ownText(part, context) : argument(part, context)))
		.join('');
}

function ownText(text: string, { number, change }: Context): string {
	if (number === null) return change(text);
	return text.split(NUMBER_SIGN).map(change).join(number);
}

function argument({ name, kind, branches }: Exclude<Part, string>, context: Context): string {
	const value = context.params[name];
	if (value === undefined) return `{${name}}`;
	if (kind === 'plain') return typeof value === 'number' ? numberText(value, context.language) : value;
	const rule =
		kind === 'plural' ? new Intl.PluralRules(context.language).select(Number(value)) : String(value);
	const chosen = branches.get(`=${value}`) ?? branches.get(rule) ?? branches.get('other') ?? [];
	const number = kind === 'plural' ? numberText(Number(value), context.language) : context.number;
	return write(chosen, { ...context, number });
}

function numberText(value: number, language: string): string {
	return new Intl.NumberFormat(language).format(value);
}

/** The names of a message's parameters. */
export function namesOf(message: string): Set<string> {
	const names = new Set<string>();
	const walk = (parts: Part[]): void => {
		for (const part of parts) {
			if (typeof part === 'string') continue;
			names.add(part.name);
			for (const inside of part.branches.values()) walk(inside);
		}
	};
	walk(partsOf(message));
	return names;
}
