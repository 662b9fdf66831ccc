/**
 * Files of the server in a tab of their own. They need the reader's token, so they are fetched and shown from
 * memory.
 */
import { t } from '$lib/i18n';
import { runFile } from '$lib/api/agents';
import { toApiError } from '$lib/api/errors';
import { fileContent } from '$lib/api/retrieval';
import { toasts } from '$lib/state/toasts.svelte';

const KEEP_MS = 120_000;

type Shown = 'page' | 'text' | 'save';

/** Only what runs nothing is shown as it is; other text as text, anything else is saved. */
function howToShow(contentType: string): Shown {
	if (/^application\/pdf\b/.test(contentType)) return 'page';
	return /^text\/|^application\/json\b/.test(contentType) ? 'text' : 'save';
}

export interface FileRef {
	file_id: string;
	filename: string;
	content_type?: string;
}

export async function openFile(file: FileRef, page: number | null = null): Promise<void> {
	// Opened at once, while the click still allows it; the file follows.
	const tab =
		howToShow(file.content_type ?? typeByName(file.filename)) === 'save'
			? null
			: window.open('', '_blank');
	try {
		const blob = await fileContent(file.file_id);
		const how = howToShow(blob.type);
		if (how === 'save' || !tab) {
			tab?.close();
			return save(blob, file.filename);
		}
		const url = keep(how === 'page' ? blob : new Blob([blob], { type: 'text/plain;charset=utf-8' }));
		tab.location.href = how === 'page' && page !== null ? `${url}#page=${page}` : url;
	} catch (error) {
		tab?.close();
		toasts.danger(t('files.nameDidNotOpen', { message: toApiError(error).message, name: file.filename }));
	}
}

export async function saveRunFile(file: { url: string; name: string }): Promise<void> {
	try {
		save(await runFile(file.url), file.name);
	} catch (error) {
		toasts.danger(t('files.nameWasNotSaved', { name: file.name, message: toApiError(error).message }));
	}
}

function save(blob: Blob, name: string): void {
	const link = document.createElement('a');
	link.href = keep(blob);
	link.download = name;
	link.click();
}

function keep(blob: Blob): string {
	const url = URL.createObjectURL(blob);
	setTimeout(() => URL.revokeObjectURL(url), KEEP_MS);
	return url;
}

function typeByName(name: string): string {
	const ending = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase();
	if (ending === 'pdf') return 'application/pdf';
	return ending === 'docx' ? 'application/octet-stream' : 'text/plain';
}
