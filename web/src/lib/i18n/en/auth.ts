export const auth = {
	'auth.askAnAdministratorOf': 'Ask an administrator of this Atrium for an account.',
	'auth.atLeastMinCharacters': 'At least {min} characters',
	'auth.createAccount': 'Create account',
	'auth.createAnAccount': 'Create an account',
	'auth.createTheAdministrator': 'Create the administrator',
	'auth.haveAnAccount': 'Have an account?',
	'auth.loadingTheForm': 'Loading the form',
	'auth.newHere': 'New here?',
	'auth.passwordForgottenThePeople':
		'Password forgotten? The people who run this Atrium can give you a new one.',
	'auth.printedByMakeRun': 'Printed by `make run` with the set-up link',
	'auth.setUp': 'Set up',
	'auth.setUpToken': 'Set-up token',
	'auth.signIn': 'Sign in',
	'auth.signUpIsClosed': 'Sign-up is closed',
	'auth.thisIsTheFirst': 'This is the first account, so it becomes the administrator.',
	'auth.welcomeSetUpYour': 'Welcome. Set up your Atrium'
} as const;
