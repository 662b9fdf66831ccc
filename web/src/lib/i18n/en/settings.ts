export const settings = {
	'settings.atLeastMinCharacters': 'At least {min} characters. Your other sessions end.',
	'settings.changePassword': 'Change password',
	'settings.currentPassword': 'Current password',
	'settings.dark': 'Dark',
	'settings.howAtriumLooksIn': 'How Atrium looks in this browser.',
	'settings.language': 'Language',
	'settings.lastUsedWhen': 'Last used {when}',
	'settings.light': 'Light',
	'settings.loadingSessions': 'Loading sessions',
	'settings.newPassword': 'New password',
	'settings.profile': 'Profile',
	'settings.sessions': 'Sessions',
	'settings.system': 'System',
	'settings.thatSessionWasSigned': 'That session was signed out.',
	'settings.theSessionWasNot': 'The session was not signed out. {message}',
	'settings.theSessionsDidNot': 'The sessions did not load',
	'settings.theme': 'Theme',
	'settings.thisBrowser': 'This browser',
	'settings.whereYouAreSigned': 'Where you are signed in.',
	'settings.whichLanguage':
		'The language of these pages in this browser. Replies follow the language you write in.',
	'settings.yourPasswordWasChanged': 'Your password was changed.'
} as const;
