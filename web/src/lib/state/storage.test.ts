import { beforeEach, describe, expect, it, vi } from 'vitest';
import { personal, PersonalStore, readStored, useStoreOf, writeStored, type Area } from './storage';

function memory(): Area & { all: Map<string, string> } {
	const all = new Map<string, string>();
	return {
		all,
		getItem: (key) => all.get(key) ?? null,
		setItem: (key, value) => void all.set(key, value),
		removeItem: (key) => void all.delete(key),
		key: (at) => [...all.keys()][at] ?? null,
		get length() {
			return all.size;
		}
	};
}

describe('what a person keeps', () => {
	let area = memory();
	beforeEach(() => {
		useStoreOf(null);
		area = memory();
		vi.stubGlobal('localStorage', area);
	});

	it('is found by that person only', () => {
		new PersonalStore('a').write('draft:new', 'secret');
		expect(new PersonalStore('a').read('draft:new')).toBe('secret');
		expect(new PersonalStore('b').read('draft:new')).toBeNull();
		expect(new PersonalStore('b').names('')).toEqual([]);
	});

	it('is gone after it was erased, and what comes late is not kept', () => {
		writeStored('atrium-theme', 'dark');
		const other = new PersonalStore('b');
		other.write('draft:new', 'of b');
		const store = new PersonalStore('a');
		store.write('draft:new', 'secret');
		store.write('outgoing:1', 'secret');
		store.erase();
		store.write('draft:new', 'late');
		expect([...area.all.values()].sort()).toEqual(['dark', 'of b']);
		expect(readStored('atrium-theme')).toBe('dark');
	});

	it('follows who is signed in, and is nothing for nobody', () => {
		useStoreOf('a');
		const ofA = personal();
		ofA.write('model', 'm');
		useStoreOf('a');
		expect(personal()).toBe(ofA);
		useStoreOf('b');
		expect(personal().read('model')).toBeNull();
		ofA.write('model', 'late');
		useStoreOf(null);
		personal().write('model', 'x');
		expect(personal().read('model')).toBeNull();
		useStoreOf('a');
		expect(personal().read('model')).toBe('m');
	});

	it('does not go on with what an earlier version kept for nobody in particular', () => {
		for (const key of ['atrium-draft:new', 'atrium-draft-files:c1', 'atrium-model', 'atrium-theme'])
			area.setItem(key, 'x');
		useStoreOf('a');
		expect([...area.all.keys()]).toEqual(['atrium-theme']);
	});

	it('does without storage', () => {
		vi.stubGlobal('localStorage', undefined);
		useStoreOf('c');
		personal().write('draft:new', 'x');
		expect(personal().read('draft:new')).toBeNull();
	});
});
