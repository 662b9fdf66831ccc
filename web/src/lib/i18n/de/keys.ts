import type { keys as english } from '../en/keys';

export const keys: Record<keyof typeof english, string> = {
	'keys.aKeyLetsA': 'Mit einem Schlüssel handelt ein Programm in Ihrem Namen, innerhalb Ihres Budgets.',
	'keys.active': 'Aktiv',
	'keys.activeUntilDate': 'Aktiv bis {date}',
	'keys.apiKeys': 'API-Schlüssel',
	'keys.chooseNoneToAllow': 'Wählen Sie keines, um alle zu erlauben, jetzt und später.',
	'keys.copyYourKeyNow': 'Kopieren Sie Ihren Schlüssel jetzt',
	'keys.createKey': 'Schlüssel anlegen',
	'keys.createTheFirstKey': 'Ersten Schlüssel anlegen',
	'keys.expired': 'Abgelaufen',
	'keys.expires': 'Läuft ab',
	'keys.iHaveKeptIt': 'Ich habe ihn aufbewahrt',
	'keys.itIsShownThis':
		'Er wird nur dieses eine Mal angezeigt. Bewahren Sie ihn dort auf, wo Sie Passwörter aufbewahren. Geht er verloren, widerrufen Sie ihn und legen einen anderen an.',
	'keys.language': 'Sprache',
	'keys.lastUsed': 'Zuletzt benutzt',
	'keys.loadingKeys': 'Schlüssel werden geladen',
	'keys.nameNoLongerWorks': '„{name}“ gilt nicht mehr.',
	'keys.newApiKey': 'Neuer API-Schlüssel',
	'keys.newKey': 'Neuer Schlüssel',
	'keys.nightlyReport': 'Nächtlicher Bericht',
	'keys.noKeysYet': 'Noch keine Schlüssel',
	'keys.oneYear': 'Ein Jahr',
	'keys.programsThatUseThis':
		'Programme, die diesen Schlüssel benutzen, werden ab sofort abgewiesen. Das lässt sich nicht rückgängig machen.',
	'keys.putYourKeyInto': 'Legen Sie zuerst Ihren Schlüssel in ATRIUM_API_KEY ab.',
	'keys.revoke': 'Widerrufen',
	'keys.revokeName': '„{name}“ widerrufen?',
	'keys.theKeyWasNot': 'Der Schlüssel wurde nicht widerrufen. {message}',
	'keys.theKeysDidNot': 'Die Schlüssel konnten nicht geladen werden',
	'keys.tryIt': 'Ausprobieren',
	'keys.useAtriumFromPrograms':
		'Benutzen Sie Atrium aus Programmen heraus. Was mit der API von OpenAI arbeitet, arbeitet auch hiermit.'
};
