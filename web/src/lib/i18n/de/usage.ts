import type { usage as english } from '../en/usage';

export const usage: Record<keyof typeof english, string> = {
	'usage.amountLeft': 'Noch {amount}',
	'usage.byModel': 'Nach Modell',
	'usage.cost': 'Kosten',
	'usage.costByDay': 'Kosten je Tag',
	'usage.costPerDayAnd':
		'Kosten je Tag und Modell, in UTC-Tagen. Die Zahlen stehen in der Tabelle darunter.',
	'usage.everyone': 'Alle',
	'usage.inTotal': 'insgesamt',
	'usage.keyBudget': 'Budget des Schlüssels',
	'usage.leftResets': 'Noch {amount}, beginnt {when} neu',
	'usage.leftToSpend': 'Noch auszugeben',
	'usage.loadingUsage': 'Verbrauch wird geladen',
	'usage.mine': 'Meiner',
	'usage.nothingWasUsedIn': 'In dieser Zeit wurde nichts verbraucht',
	'usage.organisationBudget': 'Budget der Organisation',
	'usage.other': 'Andere',
	'usage.perDay': 'je Tag',
	'usage.perHour': 'je Stunde',
	'usage.perMonth': 'je Monat',
	'usage.perWeek': 'je Woche',
	'usage.range': 'Zeitraum',
	'usage.requests': 'Anfragen',
	'usage.sendAMessageOr':
		'Senden Sie eine Nachricht, oder rufen Sie die API auf: die Kosten stehen sofort hier.',
	'usage.spentInDaysDays': 'Ausgegeben in {days} Tagen',
	'usage.spentOfLimit': '{spent} von {limit}',
	'usage.teamBudget': 'Budget des Teams',
	'usage.theUsageDidNot': 'Der Verbrauch konnte nicht geladen werden',
	'usage.tokensIn': 'Tokens Eingabe',
	'usage.tokensOut': 'Tokens Ausgabe',
	'usage.unknown': 'Unbekannt',
	'usage.usageByModel': 'Verbrauch nach Modell',
	'usage.usedOfKey': 'Verbraucht vom Budget des Schlüssels',
	'usage.usedOfOrganisation': 'Verbraucht vom Budget der Organisation',
	'usage.usedOfTeam': 'Verbraucht vom Budget des Teams',
	'usage.usedOfUser': 'Verbraucht von Ihrem Budget',
	'usage.whatWasUsedWhat':
		'Was verbraucht wurde, was es gekostet hat und was übrig ist. Tage sind UTC-Tage.',
	'usage.whoseUsage': 'Wessen Verbrauch',
	'usage.yourBudget': 'Ihr Budget'
};
