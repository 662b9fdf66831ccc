import { locale } from '$lib/i18n/locale.svelte';

// A page of its own in the browser: nothing is drawn on a server, nothing at build time.
export const ssr = false;
export const prerender = false;

/** Before anything is drawn, for texts are read once. */
export const load = () => locale.start();
