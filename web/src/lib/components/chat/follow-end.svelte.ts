/**
 * Keeps the end of a growing transcript in view until the reader scrolls away, and what is read where it is
 * while earlier messages come in.
 */
import type { Attachment } from 'svelte/attachments';

/** Closer than this to the end still counts as being there. */
const NEAR_PX = 90;
/** What is this far outside the view is about to be seen. */
const AHEAD = '120%';

/** The first of these that is not wholly above `top`; they stand one below the other. */
function firstBelow(elements: ArrayLike<Element>, top: number): Element | null {
	let [low, high] = [0, elements.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((elements[middle]?.getBoundingClientRect().bottom ?? 0) > top) high = middle;
		else low = middle + 1;
	}
	return elements[low] ?? null;
}

// eslint-disable-next-line max-lines-per-function -- small functions around one state, each on its own screen
export function followEnd() {
	let away = $state(false);
	let following = true;
	let box: HTMLElement | null = null;
	let list: HTMLElement | null = null;
	/** What was at the head of the view, and how far below it, before the list was changed. */
	let held: { element: Element; y: number } | null = null;
	let lastTop = 0;

	const distance = () => (box ? box.scrollHeight - box.scrollTop - box.clientHeight : 0);

	function toEnd(): void {
		if (!box) return;
		box.scrollTop = box.scrollHeight;
		// What folds moves the end up; that is not the reader scrolling away.
		lastTop = box.scrollTop;
	}

	function follow(): void {
		following = true;
		toEnd();
		requestAnimationFrame(toEnd);
	}

	function onScroll(): void {
		if (!box) return;
		const up = box.scrollTop < lastTop - 2;
		lastTop = box.scrollTop;
		const near = distance() < NEAR_PX;
		if (near) following = true;
		else if (up) following = false;
		away = !near && !following;
	}

	const scroller: Attachment<HTMLElement> = (element) => {
		box = element;
		element.addEventListener('scroll', onScroll, { passive: true });
		return () => element.removeEventListener('scroll', onScroll);
	};

	/** Called before messages are put above the first: remembers what is read. */
	function hold(): void {
		held = null;
		if (!box || following) return;
		const top = box.getBoundingClientRect().top;
		const element = firstBelow(list?.querySelectorAll(':scope > .message-slot') ?? [], top);
		if (!element) return;
		held = { element, y: element.getBoundingClientRect().top - top };
		// The browser keeps places by itself, but not at the very top; only one of the two may move the view.
		box.style.overflowAnchor = 'none';
	}

	/** Called when they are there: what was read is where it was. */
	function release(): void {
		const [place, scroller] = [held, box];
		held = null;
		if (!place || !scroller) return;
		if (place.element.isConnected) {
			scroller.scrollTop +=
				place.element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - place.y;
			lastTop = scroller.scrollTop;
		}
		requestAnimationFrame(() => (scroller.style.overflowAnchor = ''));
	}

	/** What grows inside the scroller. */
	const content: Attachment<HTMLElement> = (element) => {
		list = element;
		const observer = new ResizeObserver(() => {
			if (following) toEnd();
			away = !following && distance() >= NEAR_PX;
		});
		observer.observe(element);
		return () => observer.disconnect();
	};

	/** Runs when the element comes near the view. */
	function whenSeen(run: () => void): Attachment<HTMLElement> {
		return (element) => {
			const seen: IntersectionObserverCallback = (entries) => {
				if (entries.some((entry) => entry.isIntersecting)) run();
			};
			const observer = new IntersectionObserver(seen, {
				root: element.closest('[data-scroller]'),
				rootMargin: `${AHEAD} 0px`
			});
			observer.observe(element);
			return () => observer.disconnect();
		};
	}

	return {
		get away() {
			return away;
		},
		follow,
		hold,
		release,
		scroller,
		content,
		whenSeen
	};
}
