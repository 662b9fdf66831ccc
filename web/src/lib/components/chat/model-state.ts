/** How a model's state is said and coloured. */
import type { LoadProgress, Model } from '$lib/api/types';
import { forPeople } from '$lib/format/sentence';
import { formatSpan } from '$lib/format/time';

export interface ModelState {
	dot: string;
	short: string;
	text: string;
}

export function modelState(model: Model | null): ModelState {
	if (!model) return { dot: 'bg-line-strong', short: '', text: '' };
	if (model.status === 'ready')
		return { dot: 'bg-good', short: 'Ready', text: `Ready · ${model.provider}` };
	if (model.status === 'down') {
		return {
			dot: 'bg-danger',
			short: 'Not available',
			text: forPeople(model.detail ?? '') || `Not available: ${model.provider} does not answer`
		};
	}
	return {
		dot: 'bg-warn animate-pulse',
		short: progressText(model, false),
		text: progressText(model, true)
	};
}

export interface Load {
	bytes: number;
	total: number;
	/** 0 to 1. */
	share: number;
	/** "40 s"; null when nobody knows. */
	left: string | null;
}

/** How far a download is; null when none runs: the model is only starting. */
export function loadOf(progress: LoadProgress | null | undefined): Load | null {
	const total = progress?.total_bytes ?? 0;
	const bytes = progress?.downloaded_bytes ?? 0;
	if (total <= 0 || bytes >= total) return null;
	return {
		bytes,
		total,
		share: bytes / total,
		left: progress?.eta_s == null ? null : formatSpan(progress.eta_s)
	};
}

function progressText(model: Model, long: boolean): string {
	const load = loadOf(model.progress);
	if (!load) return 'Starting';
	const percent = `Loading ${Math.floor(load.share * 100)}%`;
	return long && load.left ? `${percent}, about ${load.left} left` : percent;
}

/** What to expect of a message sent to this model now; null when it answers at once. */
export function modelNotice(model: Model | null): string | null {
	if (!model || model.status === 'ready') return null;
	if (model.status === 'down')
		return `${model.name} does not answer just now. Choose another model, or try it anyway.`;
	const load = loadOf(model.progress);
	if (!load)
		return `${model.name} is starting. You can send already: the message waits and will be answered.`;
	const left = load.left ? `, about ${load.left} left` : '';
	return `${model.name} is loading (${Math.floor(load.share * 100)}%${left}). You can send already: the message waits.`;
}
