/** One error type for every failed call, so that pages can say what went wrong and what to do. */
import { errorText, t } from '$lib/i18n';
import { fieldText, type FieldProblem } from './field-problems';
import { asSentence } from '$lib/format/sentence';
import type { ProblemExtras } from './types';

const KNOWN = new Set(['type', 'title', 'status', 'detail', 'instance', 'code', 'request_id', 'errors']);

export class ApiError extends Error {
	readonly status: number;
	readonly code: string;
	readonly title: string;
	readonly requestId: string | null;
	readonly fields: FieldProblem[];
	readonly extra: ProblemExtras;

	constructor(init: {
		status: number;
		code: string;
		title: string;
		detail: string;
		requestId?: string | null;
		fields?: FieldProblem[];
		extra?: ProblemExtras;
	}) {
		super(asSentence(init.detail));
		this.name = 'ApiError';
		this.status = init.status;
		this.code = init.code;
		this.title = init.title;
		this.requestId = init.requestId ?? null;
		this.fields = init.fields ?? [];
		this.extra = init.extra ?? {};
	}

	/** True when nothing reached the server, so that trying again is worthwhile. */
	get offline(): boolean {
		return this.status === 0;
	}

	fieldMessage(name: string): string | undefined {
		return this.fields.find((f) => f.field === name)?.message;
	}
}

export function networkError(): ApiError {
	return new ApiError({
		status: 0,
		code: 'network_unreachable',
		title: t('common.noConnection'),
		detail: t('errors.theServerDidNot')
	});
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
	return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Without the program's own language: a pattern, and how a checker begins. */
function inPlainWords(message: string): string {
	return message
		.replace(/(?:[\w.]+: )?String should match pattern '.*'/s, t('errors.whatIsWrittenHere'))
		.replace(/^(?:[\w.]+: )?(?:Value|Assertion) error, /, '');
}

function fieldProblems(value: unknown): FieldProblem[] {
	if (!Array.isArray(value)) return [];
	return value.filter(isRecord).flatMap((item) => {
		const place: unknown = item.field ?? item.loc ?? item.pointer;
		const field = Array.isArray(place) ? String(place.at(-1) ?? '') : text(place)?.split(/[./]/).at(-1);
		const said = text(item.message) ?? text(item.msg) ?? text(item.detail);
		if (!field || !said) return [];
		const message = fieldText(text(item.code) ?? text(item.type) ?? '', said) ?? inPlainWords(said);
		return [{ field, message: asSentence(message) }];
	});
}

/** What a body that is not problem+json (a proxy's page, an empty answer) still lets us say. */
function fallbackDetail(status: number): string {
	if (status >= 500) return t('errors.theServerCouldNot');
	if (status === 429) return t('errors.tooManyRequestsWait');
	return t('errors.theServerRefusedThe', { status });
}

/** Reads problem+json and, under /v1, the OpenAI envelope. */
export function errorFromBody(status: number, body: unknown, requestId: string | null = null): ApiError {
	const source = isRecord(body) ? (isRecord(body.error) ? body.error : body) : {};
	const extra = Object.fromEntries(Object.entries(source).filter(([key]) => !KNOWN.has(key)));
	const code = text(source.code) ?? `http_${status}`;
	const fields = fieldProblems(source.errors);
	// Of a form it is said what its fields lack; the whole only repeats the first of them by its name in the
	// API.
	const translated = errorText(code, extra) ?? (code === 'invalid' ? (fields[0]?.message ?? null) : null);
	return new ApiError({
		status,
		code,
		title:
			translated === null
				? (text(source.title) ?? t('errors.requestFailed'))
				: t('errors.requestFailed'),
		detail:
			translated ?? inPlainWords(text(source.detail) ?? text(source.message) ?? fallbackDetail(status)),
		requestId: text(source.request_id) ?? requestId,
		fields,
		extra: extra as ProblemExtras
	});
}

export async function errorFromResponse(response: Response): Promise<ApiError> {
	let body: unknown;
	try {
		body = await response.json();
	} catch {
		body = null;
	}
	const error = errorFromBody(response.status, body, response.headers.get('x-request-id'));
	const retry = Number(response.headers.get('retry-after'));
	if (Number.isFinite(retry) && retry > 0) error.extra.retry_after_s ??= retry;
	return error;
}

/** Any thrown value as an ApiError, so that callers show one kind of message. */
export function toApiError(thrown: unknown): ApiError {
	if (thrown instanceof ApiError) return thrown;
	if (thrown instanceof TypeError) return networkError();
	const detail = thrown instanceof Error ? thrown.message : t('errors.somethingWentWrongIn');
	return new ApiError({ status: -1, code: 'client_error', title: t('errors.somethingWentWrong'), detail });
}

export function isAbort(thrown: unknown): boolean {
	return thrown instanceof DOMException && thrown.name === 'AbortError';
}
