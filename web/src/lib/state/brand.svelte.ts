/**
 * What this installation is called (WEBUI_NAME), and how one comes in. The name is kept in the browser, so
 * that the next visit begins with it.
 */
import { authConfig } from '$lib/api/auth';
import type { AuthConfig } from '$lib/api/types';
import { readStored, writeStored } from './storage';

const KEY = 'atrium-name';

class Brand {
	name = $state(readStored(KEY) || 'Atrium');
	/** Undefined until it was asked; null when the gateway does not answer: the name stays as it was. */
	config = $state.raw<AuthConfig | null | undefined>(undefined);

	async read(): Promise<AuthConfig | null> {
		const config = await authConfig().catch(() => null);
		if (config && config.name !== this.name) {
			this.name = config.name;
			writeStored(KEY, config.name);
		}
		this.config = config;
		return config;
	}
}

export const brand = new Brand();

/** For <title>: what the page is, then whose it is. */
export const pageTitle = (title: string): string => `${title} · ${brand.name}`;
