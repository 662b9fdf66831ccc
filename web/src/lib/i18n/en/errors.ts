export const errors = {
	'errors.requestFailed': 'Request failed',
	'errors.somethingWentWrong': 'Something went wrong',
	'errors.somethingWentWrongIn': 'Something went wrong in this page. Reload it.',
	'errors.theServerCouldNot': 'The server could not answer just now. Try again in a moment.',
	'errors.theServerDidNot': 'The server did not answer. Check your connection and try again.',
	'errors.theServerRefusedThe': 'The server refused the request ({status}).',
	'errors.tooManyRequestsWait': 'Too many requests. Wait a moment and try again.',
	'errors.whatIsWrittenHere': 'What is written here has a form that is not allowed.'
} as const;
