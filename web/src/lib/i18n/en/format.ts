export const format = {
	'format.aProgram': 'A program',
	'format.browserOn': '{browser} on {system}',
	'format.hours': '{count} h',
	'format.hoursMinutes': '{hours} h {minutes} min',
	'format.justNow': 'just now',
	'format.minutes': '{count} min',
	'format.older': 'Older',
	'format.previous30Days': 'Previous 30 days',
	'format.previous7Days': 'Previous 7 days',
	'format.seconds': '{count} s',
	'format.theServerRefusedThis': 'The server refused this',
	'format.today': 'Today',
	'format.yesterday': 'Yesterday'
} as const;
