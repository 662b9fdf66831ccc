/** The English texts: what the others are translations of, and whose keys and parameters TypeScript checks. */
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

export const en = {
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
};
