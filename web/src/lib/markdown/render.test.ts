import { describe, expect, it } from 'vitest';
import { drawMarkdown } from './render';

const draw = (source: string, ...numbers: number[]) => drawMarkdown(source, new Set(numbers));
const cited = (html: string) => [...html.matchAll(/data-cite="(\d+)"/g)].map(([, n]) => Number(n));

describe('citations in Markdown', () => {
	it('become buttons where a passage has that number', () => {
		expect(cited(draw('It rose [1], then fell [2].', 1, 2))).toEqual([1, 2]);
		expect(draw('It rose [7].', 1)).toContain('[7]');
		expect(cited(draw('It rose [7].', 1))).toEqual([]);
	});

	it('stand in lists, tables, emphasis and headings too', () => {
		expect(cited(draw('# T [1]\n\n- a [2]\n\n| x |\n|---|\n| **b [3]** |', 1, 2, 3))).toEqual([1, 2, 3]);
	});

	it('may be several at once', () => {
		expect(cited(draw('See [1][2] and [1, 3].', 1, 2, 3))).toEqual([1, 2, 1, 3]);
		expect(cited(draw('See [1, 9].', 1))).toEqual([]);
	});

	it('stay text in code', () => {
		const html = draw(
			'`a[1]`\n\n```js\nx[1] = y[2];\n```\n\n    z[1]\n\n- in a list\n\n  ```\n  q[1]\n  ```',
			1,
			2
		);
		expect(cited(html)).toEqual([]);
		expect(html).toContain('<code>a[1]</code>');
	});

	it('leave links alone', () => {
		const html = draw('[1](https://example.org) and [see [1]](https://example.org)', 1);
		expect(cited(html)).toEqual([]);
		expect(html).toContain('href="https://example.org"');
	});

	it('come from brackets only, never from HTML of the reply', () => {
		expect(cited(draw('<button data-cite="1">1</button>', 1))).toEqual([]);
		expect(draw('<button data-cite="1">1</button>', 1)).toContain('&#60;button');
	});

	it('are none without passages', () => {
		expect(cited(draw('An index [1].'))).toEqual([]);
	});
});

describe('lists', () => {
	const names = (html: string) =>
		[...html.matchAll(/<input aria-label="([^"]*)"/g)].map(([, name]) => name);

	it('go on with the number they were given', () => {
		expect(draw('3. salt\n4. wait')).toContain('<ol start="3">');
	});

	it('name the box of a task after its line, tight or loose, nested too', () => {
		expect(names(draw('- [ ] wash **up** `now`\n  - [x] plates\n- [x] buy "x" <y>'))).toEqual([
			'wash up now',
			'plates',
			'buy &#34;x&#34; &#60;y&#62;'
		]);
		expect(names(draw('- [ ] one\n\n  more of it\n\n- [x] two'))).toEqual(['one', 'two']);
	});

	it('have one box an item, and none where no task is', () => {
		expect(draw('- [ ] a\n- [x] b').match(/<input/g)).toHaveLength(2);
		expect(draw('- a\n- b')).not.toContain('<input');
	});
});

describe('what replies write beyond GFM', () => {
	it.each([
		['one<br>two', 'one<br>two'],
		['x<sub>2</sub> and <KBD>Ctrl</KBD>', 'x<sub>2</sub> and <kbd>Ctrl</kbd>'],
		['H~2~O', 'H<sub>2</sub>O'],
		['~5 minutes, or ~10', '~5 minutes, or ~10'],
		['It is ~~gone~~.', '<del>gone</del>'],
		['It follows[^1].', 'follows<sup>1</sup>.'],
		['[^a]: By *Ada*', '<sup>a</sup> By <em>Ada</em>']
	])('draws %s', (source, html) => expect(drawMarkdown(source, new Set())).toContain(html));

	it.each([
		['so \\(a^2 + b_1\\) holds', 'a^2 + b_1'],
		['\\[\n\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}\n\\]', '\\begin{pmatrix} 1 &#38; 2 \\\\ 3'],
		['$$\na\n- b\n= c\n$$', 'a\n- b\n= c'],
		['with $x_1 * y_1$ too', 'x_1 * y_1']
	])('keeps the source of the formula in %j', (source, formula) =>
		expect(drawMarkdown(source, new Set())).toContain(`<code class="math">${formula}`)
	);

	it.each([
		'It costs $5 or $10.',
		'from $5/$10 up',
		'Set PATH=$HOME/bin:$PATH and go',
		'Use $HOME/$USER here',
		'in ${HOME}/lib:${LIB}, too',
		'Größe $A/$Ärmel',
		'\\[no link\\](https://example.org)'
	])('takes %s for no formula', (source) => expect(drawMarkdown(source, new Set())).not.toContain('math'));

	it.each(['takes ~5-~10 ms', 'x ~a~ y', '~/a:~/b', 'a~5-~10 ms'])('takes %s for no subscript', (source) =>
		expect(drawMarkdown(source, new Set())).not.toContain('<sub>')
	);

	it.each(['Ca(OH)~2~', '*x*~1~', 'log~10~5'])('takes %s for a subscript', (source) =>
		expect(drawMarkdown(source, new Set())).toContain('<sub>')
	);

	it('folds details with Markdown inside, and keeps other tags as text', () => {
		const html = drawMarkdown(
			'<details>\n<summary>More</summary>\n\n- one\n\n<script>x</script>\n\n</details>\n\nafter',
			new Set()
		);
		expect(html).toMatch(/<details><summary>More<\/summary><ul>\n<li>one/);
		expect(html).toContain('&#60;script&#62;');
		expect(html).toMatch(/<\/details>\n<p>after/);
	});
});
