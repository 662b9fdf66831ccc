import type { errors as english } from '../en/errors';

export const errors: Record<keyof typeof english, string> = {
	'errors.atLeastCharacters': 'Mindestens {limit} Zeichen.',
	'errors.atLeastEntries': '{limit, plural, one {Mindestens # Eintrag.} other {Mindestens # Einträge.}}',
	'errors.atLeastLimit': 'Mindestens {limit}.',
	'errors.atMostCharacters': 'Höchstens {limit} Zeichen.',
	'errors.atMostEntries': '{limit, plural, one {Höchstens # Eintrag.} other {Höchstens # Einträge.}}',
	'errors.atMostLimit': 'Höchstens {limit}.',
	'errors.isMissing': 'Diese Angabe fehlt.',
	'errors.lessThan': 'Weniger als {limit}.',
	'errors.moreThan': 'Mehr als {limit}.',
	'errors.noChoice': 'Diese Auswahl gibt es nicht.',
	'errors.noEmail': 'Das ist keine E-Mail-Adresse.',
	'errors.noNumber': 'Hier gehört eine Zahl hin.',
	'errors.noWholeNumber': 'Hier gehört eine ganze Zahl hin.',
	'errors.passwordCommon':
		'Dieses Passwort gehört zu denen, die zuerst probiert werden. Wählen Sie ein anderes, etwa vier Wörter, die nicht zusammengehören.',
	'errors.passwordIsOwnName': 'Ihr Name oder Ihre Adresse ist kein Passwort. Wählen Sie ein anderes.',
	'errors.passwordRepeats': 'Dieses Passwort besteht aus fast nichts. Wählen Sie ein anderes.',
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
