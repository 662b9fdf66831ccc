/** How a model's state is said and coloured. */
import { t } from '$lib/i18n';
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
	if (model.status === 'ready' && model.priced === false)
		return { dot: 'bg-warn', short: t('chat.noPrice'), text: t('chat.itAnswersOnceIt') };
	if (model.status === 'ready')
		return {
			dot: 'bg-good',
			short: t('common.ready'),
			text: t('chat.readyProvider', { provider: model.provider })
		};
	if (model.status === 'down') {
		return {
			dot: 'bg-danger',
			short: t('common.notAvailable'),
			text:
				forPeople(model.detail ?? '') || t('chat.notAvailableProvider', { provider: model.provider })
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
	if (!load) return t('chat.starting');
	const percent = t('chat.loadingShare', { share: Math.floor(load.share * 100) });
	return long && load.left ? `${percent}, ${t('chat.aboutLeft', { left: load.left })}` : percent;
}

/** What to expect of a message sent to this model now; null when it answers at once. */
export function modelNotice(model: Model | null): string | null {
	if (!model || model.status === 'ready') return null;
	if (model.status === 'down') return t('chat.nameDoesNotAnswer', { name: model.name });
	const load = loadOf(model.progress);
	if (!load) return t('chat.nameIsStartingYou', { name: model.name });
	const left = load.left ? `, ${t('chat.aboutLeft', { left: load.left })}` : '';
	return t('chat.nameIsLoadingShare', { name: model.name, share: Math.floor(load.share * 100), left });
}
