import { describe, expect, it } from 'vitest';
import { rowFor } from './rove';

const rows = ['No agent', 'Assistant', 'Contract reader', 'Contracts', 'Travel desk'];
let now = 0;
const press = (key: string, at: number, after = 5_000) => rowFor(key, at, rows, (now += after));

describe('moving among rows', () => {
	it('goes around at both ends', () => {
		expect(press('ArrowDown', 4)).toBe(0);
		expect(press('ArrowUp', 0)).toBe(4);
		expect(press('ArrowUp', -1)).toBe(4);
		expect(press('Home', 3)).toBe(0);
		expect(press('End', 0)).toBe(4);
	});

	it('goes to the row that begins with what is typed', () => {
		expect(press('t', 0)).toBe(4);
		expect(press('c', 0)).toBe(2);
		expect(press('o', 2, 100)).toBe(2);
		expect(press('x', 2)).toBeNull();
	});

	it('goes on to the next row with the same letter', () => {
		expect(press('c', 0)).toBe(2);
		expect(press('c', 2, 100)).toBe(3);
		expect(press('c', 3, 100)).toBe(2);
	});

	it('leaves other keys alone', () => {
		expect(press('Enter', 0)).toBeNull();
		expect(press(' ', 0)).toBeNull();
		expect(rowFor('ArrowDown', -1, [], 0)).toBeNull();
	});
});
