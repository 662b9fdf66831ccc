import { expect, it } from 'vitest';
import { withTick } from './ticks';

it('a tick changes its own row only, whatever else is shown', () => {
	expect(withTick(['a', 'hidden'], 'b', true)).toEqual(['a', 'hidden', 'b']);
	expect(withTick(['a', 'hidden'], 'a', false)).toEqual(['hidden']);
	expect(withTick(['a'], 'a', true)).toEqual(['a']);
});
