/** What the pages of those who are signed in say: loaded with the first of them. */
import { admin } from './admin';
import { agents } from './agents';
import { chat } from './chat';
import { files } from './files';
import { keys } from './keys';
import { settings } from './settings';
import { usage } from './usage';

export const app = { ...admin, ...agents, ...chat, ...files, ...keys, ...settings, ...usage };
