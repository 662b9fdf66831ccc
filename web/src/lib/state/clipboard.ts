import { t } from '$lib/i18n';
import { toasts } from './toasts.svelte';

/** Copies; on pages without https, where the clipboard API is missing, by a selection. */
export async function copyText(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		if (copyBySelection(text)) return true;
		toasts.danger(t('ui.theBrowserDidNot'));
		return false;
	}
}

function copyBySelection(text: string): boolean {
	const area = document.createElement('textarea');
	area.value = text;
	area.style.position = 'fixed';
	area.style.opacity = '0';
	// Inside an open dialog only its own descendants can hold the selection.
	(document.querySelector('dialog[open]') ?? document.body).append(area);
	area.select();
	const done = document.execCommand('copy');
	area.remove();
	return done;
}
