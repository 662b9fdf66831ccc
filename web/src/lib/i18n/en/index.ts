/**
 * The English texts: what the others are translations of, and whose keys and parameters TypeScript checks.
 */
import { app } from './app';
import { entry } from './entry';

export const en = { ...entry, ...app };
