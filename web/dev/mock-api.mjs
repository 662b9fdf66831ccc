// A stand-in for the gateway, for working on pages without the services: `npm run mock`, then `npm run dev`.
// Everything lives in memory and is invented. It checks no password. Never part of a build.
// MOCK_PORT (8000) MOCK_SETUP=1: no account yet MOCK_EMPTY=1: no chats, keys or usage MOCK_LOADING=n: only
// the built-in model, which loads for n half seconds
// MOCK_TOKEN_MS (24): time between tokens. A message with #wallet is refused, one with #short gets a short
// reply;
// #length, #filter, #decline, #broke, #think, #leftout and #away play how a reply may end or wait; #tools,
// #approval, #cite, #again, #limit, #queue and #slow (together too) play what an agent does. MOCK_INGEST_MS
// (250): pace of indexing. MOCK_UPLOAD_MS: of a chunk.
import { createServer } from 'node:http';
import { Problem } from './mock-data.mjs';
import { routes } from './mock-routes.mjs';

const known = routes.map(([method, path, handler]) => ({
	method,
	handler,
	pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
}));

function answer(response, status, body, type = 'application/json') {
	response.writeHead(status, { 'content-type': type });
	response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function readBody(request) {
	const parts = [];
	for await (const chunk of request) parts.push(chunk);
	const raw = Buffer.concat(parts);
	const json = raw.length > 0 && request.headers['content-type'] !== 'application/octet-stream';
	return { raw, body: json ? JSON.parse(raw.toString()) : undefined };
}

createServer(async (request, response) => {
	const url = new URL(request.url, 'http://mock');
	const route = known.find((r) => r.method === request.method && r.pattern.test(url.pathname));
	try {
		if (!route) throw new Problem(404, 'not_found', `The mock has no ${request.method} ${url.pathname}.`);
		const { raw, body } = await readBody(request);
		const result = await route.handler({
			...route.pattern.exec(url.pathname).groups,
			query: url.searchParams,
			raw,
			body,
			request,
			response
		});
		if (result === undefined) return;
		if (Array.isArray(result)) answer(response, result[0], result[1]);
		else answer(response, 200, result);
	} catch (error) {
		const problem = error instanceof Problem ? error : new Problem(500, 'mock_failed', String(error));
		answer(response, problem.body.status, problem.body, 'application/problem+json');
	}
}).listen(Number(process.env.MOCK_PORT ?? 8000), '127.0.0.1', function () {
	console.log(`mock API on http://127.0.0.1:${this.address().port}`);
});
