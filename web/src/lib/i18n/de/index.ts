import { ENGLISH, type Language } from '..';
export const GERMAN: Language = ENGLISH;
