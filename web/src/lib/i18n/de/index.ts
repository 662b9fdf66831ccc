/** The German texts: every key of the English ones. Loaded when they are wanted. */
import type { Language } from '..';
import { admin } from './admin';
import { agents } from './agents';
import { auth } from './auth';
import { chat } from './chat';
import { common } from './common';
import { errors } from './errors';
import { files } from './files';
import { format } from './format';
import { keys } from './keys';
import { settings } from './settings';
import { shell } from './shell';
import { ui } from './ui';
import { usage } from './usage';
import { errors as byCode } from './by-code';

export const GERMAN: Language = {
	tag: 'de',
	catalogue: {
		...admin,
		...agents,
		...auth,
		...chat,
		...common,
		...errors,
		...files,
		...format,
		...keys,
		...settings,
		...shell,
		...ui,
		...usage
	},
	errors: byCode
};
