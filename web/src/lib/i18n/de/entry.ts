/** What is said before anybody is signed in, and around every page: loaded with the program. */
import { auth } from './auth';
import { common } from './common';
import { errors } from './errors';
import { format } from './format';
import { shell } from './shell';
import { ui } from './ui';

export const entry = { ...auth, ...common, ...errors, ...format, ...shell, ...ui };
