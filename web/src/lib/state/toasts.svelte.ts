/** Short notices over the page, with at most one thing to do. */

export interface Toast {
	id: number;
	text: string;
	tone: 'plain' | 'danger';
	action?: { label: string; run: () => void };
	/** Runs when it leaves without its action: the moment an undo is no longer possible. */
	expired?: () => void;
}

const SHOWN_MS = { plain: 6_000, danger: 10_000 };
const ALL_MAX = 4;

class Toasts {
	all = $state.raw<Toast[]>([]);
	#next = 1;

	show(text: string, options: Partial<Omit<Toast, 'id' | 'text'>> = {}): number {
		const toast: Toast = { id: this.#next++, text, tone: options.tone ?? 'plain', ...options };
		if (this.all.length >= ALL_MAX && this.all[0]) this.dismiss(this.all[0].id);
		this.all = [...this.all, toast];
		setTimeout(() => this.dismiss(toast.id), SHOWN_MS[toast.tone]);
		return toast.id;
	}

	danger(text: string): number {
		return this.show(text, { tone: 'danger' });
	}

	act(id: number): void {
		const toast = this.#take(id);
		toast?.action?.run();
	}

	dismiss(id: number): void {
		this.#take(id)?.expired?.();
	}

	/** Nothing stays to be undone: whoever leaves takes their notices with them. */
	expireAll(): void {
		for (const { id } of this.all) this.dismiss(id);
	}

	#take(id: number): Toast | undefined {
		const toast = this.all.find((t) => t.id === id);
		this.all = this.all.filter((t) => t.id !== id);
		return toast;
	}
}

export const toasts = new Toasts();
