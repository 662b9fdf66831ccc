import type { errors as english } from '../en/errors';

export const errors: Record<keyof typeof english, string> = {
	'errors.requestFailed': 'Die Anfrage ist fehlgeschlagen',
	'errors.somethingWentWrong': 'Etwas ist schiefgegangen',
	'errors.somethingWentWrongIn': 'Auf dieser Seite ist etwas schiefgegangen. Laden Sie sie neu.',
	'errors.theServerCouldNot':
		'Der Server konnte gerade nicht antworten. Versuchen Sie es gleich noch einmal.',
	'errors.theServerDidNot':
		'Der Server hat nicht geantwortet. Prüfen Sie Ihre Verbindung, und versuchen Sie es noch einmal.',
	'errors.theServerRefusedThe': 'Der Server hat die Anfrage abgelehnt ({status}).',
	'errors.tooManyRequestsWait':
		'Zu viele Anfragen. Warten Sie einen Augenblick, und versuchen Sie es noch einmal.',
	'errors.whatIsWrittenHere': 'Was hier steht, hat eine Form, die nicht erlaubt ist.'
};
