/** Keeps the end of a growing transcript in view until the reader scrolls away. */
import type { Attachment } from 'svelte/attachments';

/** Closer than this to the end still counts as being there. */
const NEAR_PX = 90;

export function followEnd() {
	let away = $state(false);
	let following = true;
	let box: HTMLElement | null = null;
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

	/** What grows inside the scroller; when messages are put before the first, the view stays where it was. */
	const content: Attachment<HTMLElement> = (element) => {
		const observer = new ResizeObserver(() => {
			if (following) toEnd();
			away = !following && distance() >= NEAR_PX;
		});
		observer.observe(element);
		return () => observer.disconnect();
	};

	function whenSeen(run: () => void): Attachment<HTMLElement> {
		return (element) => {
			const observer = new IntersectionObserver((entries) => {
				if (entries.some((entry) => entry.isIntersecting)) run();
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
		scroller,
		content,
		whenSeen
	};
}
