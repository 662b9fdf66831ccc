/**
 * What servers say of single fields, in the words of the page: by the kind of the problem, with the figure
 * they name.
 */
import { languageTag, t, type MessageKey, type PlainKey } from '$lib/i18n';

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

const plain = (key: Extract<PlainKey, `errors.${string}`>): Said => {
	return () => t(key);
};
const PLAIN: Record<string, Said> = {
	missing: plain('errors.isMissing'),
	string_pattern_mismatch: plain('errors.whatIsWrittenHere'),
	enum: plain('errors.noChoice'),
	literal_error: plain('errors.noChoice'),
	int_from_float: plain('errors.noWholeNumber'),
	int_parsing: plain('errors.noWholeNumber'),
	int_type: plain('errors.noWholeNumber'),
	float_parsing: plain('errors.noNumber'),
	decimal_parsing: plain('errors.noNumber'),
	// In English the service says which part of it is wrong.
	email_not_valid: () => (languageTag().startsWith('en') ? null : t('errors.noEmail')),
	password_common: plain('errors.passwordCommon'),
	password_is_own_name: plain('errors.passwordIsOwnName'),
	password_repeats: plain('errors.passwordRepeats'),
	password_too_short: (detail) => t('errors.atLeastCharacters', { limit: figure(detail) ?? 8 }),
	// A check without a kind of its own: its text is the service's.
	value_error: (detail) => (/valid email/i.test(detail) ? t('errors.noEmail') : null)
};

/** Null: the kind is not known here, and the server's own words are shown. */
export function fieldText(code: string, detail: string): string | null {
	const key = LIMITED[code];
	const limit = figure(detail);
	if (key && limit !== null) return t(key, { limit });
	return PLAIN[code]?.(detail) ?? null;
}
