/** Puts a popover by the button that opened it, inside the window. */

const GAP = 6;
const EDGE = 8;

export function placeBeside(panel: HTMLElement, anchor: HTMLElement): void {
	const box = anchor.getBoundingClientRect();
	const { offsetWidth: width, offsetHeight: height } = panel;
	const below = box.bottom + GAP;
	const fitsBelow = below + height + EDGE <= innerHeight;
	const top = fitsBelow ? below : Math.max(EDGE, box.top - GAP - height);
	const startsLeft = box.left + width + EDGE <= innerWidth;
	const left = startsLeft ? box.left : Math.max(EDGE, box.right - width);
	panel.style.top = `${top}px`;
	panel.style.left = `${left}px`;
}
