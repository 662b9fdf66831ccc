/**
 * Refuses texts that are written where they are shown: they belong into the catalogue (src/lib/i18n/en), from
 * where t() reads them. Looked at: text between tags, attributes and props that people read, and properties
 * and arguments of code
 * that are shown (`label`, `title` …, notices).
 */
const SHOWN = new Set(
	'label title text placeholder hint description caption action alt aria-label about short detail whom'.split(
		' '
	)
);
/** Names, and units that every language writes so. */
const NAMES = /^(?:Atrium|curl|Python|PDF|HTML|Markdown|ms|GB|MB|kB|B|\$)$/;
const NOTICES = new Set(['show', 'danger']);

const isText = (value) =>
	typeof value === 'string' &&
	value.split(/[\s·:,.()%/]+/).some((word) => /\p{L}{2}/u.test(word) && !NAMES.test(word));

const nameOf = (key) => key?.name ?? key?.value;

/** The strings an expression can become. */
function* strings(node) {
	if (!node) return;
	if (node.type === 'Literal' && isText(node.value)) yield node;
	if (node.type === 'TemplateLiteral') {
		if (node.quasis.some(({ value }) => isText(value.cooked))) yield node;
		for (const inner of node.expressions) yield* strings(inner);
	}
	if (node.type === 'ConditionalExpression')
		yield* [...strings(node.consequent), ...strings(node.alternate)];
	if (node.type === 'LogicalExpression') yield* [...strings(node.left), ...strings(node.right)];
	if (node.type === 'BinaryExpression' && node.operator === '+')
		yield* [...strings(node.left), ...strings(node.right)];
	if (node.type === 'TSAsExpression') yield* strings(node.expression);
}

/** @type {import('eslint').Rule.RuleModule} */
const rule = {
	meta: {
		type: 'problem',
		messages: { literal: 'A text that is shown belongs into the catalogue: t(…).' },
		schema: []
	},
	create(context) {
		const refuse = (node) => context.report({ node, messageId: 'literal' });
		const refuseAll = (node) => [...strings(node)].forEach(refuse);
		return {
			SvelteText(node) {
				if (node.parent.type !== 'SvelteStyleElement' && isText(node.value)) refuse(node);
			},
			SvelteAttribute(node) {
				if (!SHOWN.has(nameOf(node.key))) return;
				for (const part of node.value) {
					if (part.type === 'SvelteLiteral' && isText(part.value)) refuse(part);
					if (part.type === 'SvelteMustacheTag') refuseAll(part.expression);
				}
			},
			SvelteMustacheTag(node) {
				if (node.parent.type !== 'SvelteAttribute' && node.parent.type !== 'SvelteStyleDirective')
					refuseAll(node.expression);
			},
			Property(node) {
				// An `action` in code is a word of a protocol. Keys of the catalogue look like `chat.send`.
				if (!SHOWN.has(nameOf(node.key)) || nameOf(node.key) === 'action') return;
				for (const found of strings(node.value))
					if (!/^[a-z]+\.\w+$/.test(found.value ?? '')) refuse(found);
			},
			CallExpression(node) {
				const { callee } = node;
				if (callee.object?.name === 'toasts' && NOTICES.has(callee.property?.name))
					refuseAll(node.arguments[0]);
			}
		};
	}
};

export default { rules: { 'no-literal-text': rule } };
