import type { Attachment } from 'svelte/attachments';

/** Makes a textarea as high as its text; its CSS max-height is the limit. */
export function growToText(text: () => string): Attachment<HTMLTextAreaElement> {
	return (area) => {
		text();
		area.style.height = 'auto';
		area.style.height = `${area.scrollHeight}px`;
	};
}
