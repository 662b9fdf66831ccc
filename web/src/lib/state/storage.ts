/**
 * localStorage that may be off or full: reads give null, writes are best effort.
 * What belongs to the browser (the theme) is kept under its own name; what belongs to a person under theirs,
 * so that whoever signs in next at the same browser finds nothing of it, and signing out erases it.
 */

const PERSON = 'atrium-person:';
/** Names of an earlier version that say nobody's: it cannot be known whose they are. */
const NOBODYS = ['atrium-draft:', 'atrium-draft-files:', 'atrium-model'];

export type Area = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

function browserArea(): Area | null {
	try {
		return localStorage;
	} catch {
		return null;
	}
}

function read(area: Area | null, key: string): string | null {
	try {
		return area?.getItem(key) ?? null;
	} catch {
		return null;
	}
}

function write(area: Area | null, key: string, value: string | null): void {
	try {
		if (value === null) area?.removeItem(key);
		else area?.setItem(key, value);
	} catch {
		// Private windows and full storage: the page works, it only forgets.
	}
}

function keysOf(area: Area | null, prefix: string): string[] {
	try {
		const all = Array.from({ length: area?.length ?? 0 }, (_, at) => area?.key(at) ?? '');
		return all.filter((key) => key.startsWith(prefix));
	} catch {
		return [];
	}
}

/** Of the browser, whoever uses it. */
export const readStored = (key: string): string | null => read(browserArea(), key);
export const writeStored = (key: string, value: string | null): void => write(browserArea(), key, value);

/**
 * What one person's pages keep. Once closed it neither gives nor takes anything: a late upload writes
 * nowhere.
 */
export class PersonalStore {
	readonly personId: string;
	#area: Area | null;
	#prefix: string;

	constructor(personId: string, area: Area | null = browserArea()) {
		this.personId = personId;
		this.#area = area;
		this.#prefix = `${PERSON}${personId}:`;
	}

	read(name: string): string | null {
		return read(this.#area, this.#prefix + name);
	}

	write(name: string, value: string | null): void {
		write(this.#area, this.#prefix + name, value);
	}

	/** The names that begin so. */
	names(start: string): string[] {
		return keysOf(this.#area, this.#prefix + start).map((key) => key.slice(this.#prefix.length));
	}

	close(): void {
		this.#area = null;
	}

	/** Removes all of it, and closes. */
	erase(): void {
		for (const name of this.names('')) this.write(name, null);
		this.close();
	}
}

const nobody = new PersonalStore('', null);
let current = nobody;

/** Of the person who is signed in; of nobody it keeps nothing. */
export const personal = (): PersonalStore => current;

/** Called with each change of who is signed in. */
export function useStoreOf(personId: string | null): void {
	if (current.personId === (personId ?? '')) return;
	current.close();
	current = personId === null ? nobody : new PersonalStore(personId);
	if (personId !== null)
		for (const start of NOBODYS) for (const key of keysOf(browserArea(), start)) writeStored(key, null);
}
