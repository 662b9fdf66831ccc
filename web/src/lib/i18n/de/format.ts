import type { format as english } from '../en/format';

export const format: Record<keyof typeof english, string> = {
	'format.aProgram': 'Ein Programm',
	'format.browserOn': '{browser} auf {system}',
	'format.hours': '{count} Std.',
	'format.hoursMinutes': '{hours} Std. {minutes} Min.',
	'format.justNow': 'gerade eben',
	'format.minutes': '{count} Min.',
	'format.older': 'Älter',
	'format.previous30Days': 'Letzte 30 Tage',
	'format.previous7Days': 'Letzte 7 Tage',
	'format.seconds': '{count} s',
	'format.theServerRefusedThis': 'Der Server hat das abgelehnt',
	'format.today': 'Heute',
	'format.yesterday': 'Gestern'
};
