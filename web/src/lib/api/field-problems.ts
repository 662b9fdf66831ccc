/**
 * What servers say of single fields, in the words of the page: by the kind of the problem, with the figure
 * they name.
 */
import { languageTag, t, type MessageKey } from '$lib/i18n';

export interface FieldProblem {
	field: string;
	message: string;
}

type Said = (detail: string) => string | null;

/** The limit a text of the server names: "String should have at least 8 characters". */
function figure(detail: string): number | null {
	const found = /-?\d+(?:\.\d+)?/.exec(detail);
	return found ? Number(found[0]) : null;
}

type Limited = Extract<MessageKey, `errors.at${string}` | `errors.${'more' | 'less'}Than`>;
const LIMITED: Record<string, Limited> = {
	string_too_short: 'errors.atLeastCharacters',
	string_too_long: 'errors.atMostCharacters',
	too_short: 'errors.atLeastEntries',
	too_long: 'errors.atMostEntries',
	greater_than_equal: 'errors.atLeastLimit',
	less_than_equal: 'errors.atMostLimit',
	greater_than: 'errors.moreThan',
	less_than: 'errors.lessThan'
};

const plain = (
	key: 'errors.isMissing' | 'errors.noNumber' | 'errors.noWholeNumber' | 'errors.noChoice'
): Said => {
	return () => t(key);
};
const PLAIN: Record<string, Said> = {
	missing: plain('errors.isMissing'),
	string_pattern_mismatch: () => t('errors.whatIsWrittenHere'),
	enum: plain('errors.noChoice'),
	literal_error: plain('errors.noChoice'),
	int_from_float: plain('errors.noWholeNumber'),
	int_parsing: plain('errors.noWholeNumber'),
	int_type: plain('errors.noWholeNumber'),
	float_parsing: plain('errors.noNumber'),
	decimal_parsing: plain('errors.noNumber'),
	// An own check: its text is the service's; only the commonest is known here.
	value_error: (detail) => (/valid email/i.test(detail) ? t('errors.noEmail') : null)
};

/** Null: the kind is not known here, and the server's own words are shown. */
export function fieldText(code: string, detail: string): string | null {
	const key = LIMITED[code];
	const limit = figure(detail);
	if (key && limit !== null) return t(key, { limit });
	const said = PLAIN[code]?.(detail) ?? null;
	// Pydantic's own beginning says nothing to people.
	return said ?? (languageTag().startsWith('en') ? detail.replace(/^Value error, /, '') : null);
}
