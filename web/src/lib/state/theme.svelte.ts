/** Light, dark, or what the system says. */
import { readStored, writeStored } from './storage';

export type Theme = 'light' | 'dark' | 'system';

const KEY = 'atrium-theme';

class ThemeState {
	choice = $state<Theme>('system');
	dark = $state(false);
	#query: MediaQueryList | null = null;

	start(): void {
		const stored = readStored(KEY);
		this.choice = stored === 'light' || stored === 'dark' ? stored : 'system';
		this.#query = matchMedia('(prefers-color-scheme: dark)');
		this.#query.addEventListener('change', () => this.#apply());
		this.#apply();
	}

	set(choice: Theme): void {
		this.choice = choice;
		writeStored(KEY, choice === 'system' ? null : choice);
		this.#apply();
	}

	#apply(): void {
		this.dark = this.choice === 'dark' || (this.choice === 'system' && (this.#query?.matches ?? false));
		document.documentElement.dataset.theme = this.dark ? 'dark' : 'light';
	}
}

export const theme = new ThemeState();
