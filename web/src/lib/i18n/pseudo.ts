/** English with accents, 40 % longer: a page that has room for it has room for most languages. */
import { ENGLISH, type Language } from './index';

const PLAIN = 'AaCcDEeGgHIiJjKkLlNnOoRrSsTtUuWwYyZz';
const ACCENTED = 'ÅåÇçÐÉéĜĝĤÎîĴĵĶķĻļÑñÖöŔŕŠšŢţÛûŴŵÝýŽž';
const LONGER = 0.4;
/** Words, as translations are longer in words: one long dash could not be broken. */
const FILLER = 'one two three four five six seven eight nine ten ';

function pseudo(text: string): string {
	if (!/\p{L}/u.test(text)) return text;
	const accented = [...text].map((letter) => ACCENTED[PLAIN.indexOf(letter)] ?? letter).join('');
	const more = Math.ceil(text.length * LONGER);
	const filler = FILLER.repeat(Math.ceil(more / FILLER.length))
		.slice(0, more)
		.trim();
	const [, body = '', tail = ''] = /^([\s\S]*?)(\s*)$/.exec(accented) ?? [];
	return `${body} ${filler}${tail}`;
}

export const PSEUDO: Language = { ...ENGLISH, change: pseudo };
