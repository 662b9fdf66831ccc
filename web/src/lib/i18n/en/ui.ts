export const ui = {
	'ui.close': 'Close',
	'ui.dismiss': 'Dismiss',
	'ui.notices': 'Notices',
	'ui.theBrowserDidNot': 'The browser did not allow copying. Select the text and copy it by hand.'
} as const;
