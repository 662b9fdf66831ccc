import { describe, expect, it } from 'vitest';
import { rank } from './rank';

const names = (...labels: string[]) => labels.map((label) => ({ label }));

describe('rank', () => {
	it('puts beginnings first, then words, then the rest', () => {
		const found = rank(names('Misuse', 'My use', 'Usage', 'Keys'), 'us');
		expect(found.map((f) => f.label)).toEqual(['Usage', 'My use', 'Misuse']);
	});

	it('needs every word and keeps the order when nothing is typed', () => {
		expect(rank(names('Plan a talk', 'Plan b'), 'plan talk').map((f) => f.label)).toEqual([
			'Plan a talk'
		]);
		expect(rank(names('b', 'a'), ' ').map((f) => f.label)).toEqual(['b', 'a']);
	});
});
