import type { auth as english } from '../en/auth';

export const auth: Record<keyof typeof english, string> = {
	'auth.askAnAdministratorOf': 'Bitten Sie einen Administrator dieser Installation um ein Konto.',
	'auth.atLeastMinCharacters': 'Mindestens {min} Zeichen',
	'auth.createAccount': 'Konto anlegen',
	'auth.createAnAccount': 'Konto anlegen',
	'auth.createTheAdministrator': 'Administrator anlegen',
	'auth.haveAnAccount': 'Sie haben ein Konto?',
	'auth.loadingTheForm': 'Formular wird geladen',
	'auth.newHere': 'Neu hier?',
	'auth.passwordForgottenThePeople':
		'Passwort vergessen? Wer diese Installation betreibt, kann Ihnen ein neues geben.',
	'auth.printedByMakeRun': 'Wird von `make run` mit dem Link zur Einrichtung ausgegeben',
	'auth.setUp': 'Einrichten',
	'auth.setUpToken': 'Einrichtungs-Token',
	'auth.signIn': 'Anmelden',
	'auth.signUpIsClosed': 'Die Registrierung ist geschlossen',
	'auth.thisIsTheFirst': 'Das ist das erste Konto; es wird das des Administrators.',
	'auth.welcomeSetUpYour': 'Willkommen. Richten Sie Ihr Atrium ein'
};
