/**
 * A page that is left cuts its own requests: that says nothing of the server, and nobody is there to be told.
 */

let left = false;
const back: (() => void)[] = [];

if (typeof window !== 'undefined') {
	addEventListener('pagehide', () => (left = true));
	// The way back in history may bring the same page again, as it was.
	addEventListener('pageshow', () => {
		left = false;
		for (const resume of back.splice(0)) resume();
	});
}

/** Resolves while the page is there: at once, or never for one that was left for good. */
export function whenShown(): Promise<void> {
	return left ? new Promise((resolve) => back.push(resolve)) : Promise.resolve();
}
