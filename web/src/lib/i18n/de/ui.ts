import type { ui as english } from '../en/ui';

export const ui: Record<keyof typeof english, string> = {
	'ui.close': 'Schließen',
	'ui.dismiss': 'Ausblenden',
	'ui.notices': 'Hinweise',
	'ui.theBrowserDidNot':
		'Der Browser hat das Kopieren nicht erlaubt. Markieren Sie den Text, und kopieren Sie ihn von Hand.'
};
