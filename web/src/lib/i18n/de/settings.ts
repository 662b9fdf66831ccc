import type { settings as english } from '../en/settings';

export const settings: Record<keyof typeof english, string> = {
	'settings.atLeastMinCharacters': 'Mindestens {min} Zeichen. Ihre anderen Sitzungen enden.',
	'settings.changePassword': 'Passwort ändern',
	'settings.currentPassword': 'Aktuelles Passwort',
	'settings.dark': 'Dunkel',
	'settings.howAtriumLooksIn': 'Wie Atrium in diesem Browser aussieht.',
	'settings.language': 'Sprache',
	'settings.lastUsedWhen': 'Zuletzt benutzt {when}',
	'settings.light': 'Hell',
	'settings.loadingSessions': 'Sitzungen werden geladen',
	'settings.newPassword': 'Neues Passwort',
	'settings.profile': 'Profil',
	'settings.sessions': 'Sitzungen',
	'settings.system': 'System',
	'settings.thatSessionWasSigned': 'Die Sitzung wurde beendet.',
	'settings.theSessionWasNot': 'Die Sitzung wurde nicht beendet. {message}',
	'settings.theSessionsDidNot': 'Die Sitzungen konnten nicht geladen werden',
	'settings.theme': 'Darstellung',
	'settings.thisBrowser': 'Dieser Browser',
	'settings.whereYouAreSigned': 'Wo Sie angemeldet sind.',
	'settings.whichLanguage':
		'Die Sprache dieser Seiten in diesem Browser. Antworten folgen der Sprache, in der Sie schreiben.',
	'settings.yourPasswordWasChanged': 'Ihr Passwort wurde geändert.'
};
