import { expect, it } from 'vitest';
import { formatBytes } from './numbers';

it.each([
	[0, '0 B'],
	[25, '25 B'],
	[999, '999 B'],
	[1_000, '1 kB'],
	[999_499, '999 kB'],
	[999_500, '1 MB'],
	[49_800_000, '49.8 MB'],
	[250_000_000, '250 MB'],
	[1_500_000_000, '1.5 GB']
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
