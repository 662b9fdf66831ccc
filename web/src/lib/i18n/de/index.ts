/** The German texts: every key of the English ones. Loaded when they are wanted. */
import type { Catalogue, Language } from '..';
import { errors } from './by-code';
import { entry } from './entry';

export const GERMAN: Language = {
	tag: 'de',
	catalogue: { ...entry } as Catalogue,
	rest: () => import('./app').then(({ app }) => app),
	errors
};
