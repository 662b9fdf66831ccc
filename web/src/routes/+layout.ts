// A page of its own in the browser: nothing is drawn on a server, nothing at build time.
export const ssr = false;
export const prerender = false;
