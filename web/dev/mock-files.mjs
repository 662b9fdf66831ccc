// @ts-check
/** @typedef {import('../src/lib/api/retrieval').Document} Document */
/** @typedef {import('../src/lib/api/retrieval').KnowledgeBase} KnowledgeBase */
// Documents, knowledge bases and search of the development API. A file named fail* cannot be read, one named
// slow* takes its time.
import { ago, newId, ORGANISATION, Problem } from './mock-data.mjs';

const STEP_MS = Number(process.env.MOCK_INGEST_MS ?? 250);
const PASSAGE =
	'The annual allowance is twenty-five working days. Up to five days that were not taken move to the next year, and lapse at the end of March. ';
const page = (data) => ({
	object: 'list',
	data,
	has_more: false,
	last_id: data.at(-1)?.id ?? data.at(-1)?.document_id ?? null
});
const uploads = new Map();
const contents = new Map();

function documentOf(fields) {
	const id = newId();
	return {
		document_id: id,
		customer_id: ORGANISATION,
		filename: 'file',
		s3_key: `files/${id}`,
		content_type: 'application/pdf',
		size_bytes: 0,
		upload_timestamp: ago(0),
		embedding_status: 'pending',
		qdrant_collection: 'u-1',
		qdrant_point_id: null,
		stage: 'queued',
		progress: null,
		error: null,
		sha256: 'a'.repeat(64),
		page_count: null,
		chunk_count: null,
		token_count: null,
		knowledge_base_ids: [],
		updated_at: ago(0),
		...fields
	};
}

const ready = (fields) => documentOf({ stage: 'ready', embedding_status: 'completed', ...fields });

/** @returns {{ files: Document[]; bases: KnowledgeBase[] }} */
export function seedFiles(empty) {
	const base = (name, description, access, writable = true) => ({
		id: newId(),
		name,
		description,
		access,
		writable,
		file_count: 0,
		created_at: ago(9e8),
		updated_at: ago(8e7)
	});
	if (empty) return { files: [], bases: [] };
	const bases = [
		base('Handbook', 'Rules and forms for everyone', 'organisation', false),
		base('Contracts', 'Suppliers and customers, since 2019', 'private'),
		base('Research notes', '', 'private')
	];
	const files = [
		ready({
			filename: 'employee-handbook-2026.pdf',
			size_bytes: 2_400_000,
			page_count: 84,
			chunk_count: 212,
			token_count: 48_000,
			knowledge_base_ids: [bases[0].id],
			upload_timestamp: ago(4e8)
		}),
		ready({
			filename:
				'Framework agreement with the very long name of a supplier, signed and countersigned, final version 3.docx',
			content_type: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
			size_bytes: 180_000,
			chunk_count: 41,
			knowledge_base_ids: [bases[1].id],
			upload_timestamp: ago(3e8)
		}),
		documentOf({
			filename: 'annual-report.pdf',
			size_bytes: 9_100_000,
			stage: 'embedding',
			progress: { done: 120, total: 310, unit: 'chunks' },
			page_count: 140,
			upload_timestamp: ago(6e4)
		}),
		documentOf({
			filename: 'scan-1997.pdf',
			size_bytes: 700_000,
			stage: 'failed',
			embedding_status: 'failed',
			error: {
				code: 'no_text',
				detail: 'The pages hold pictures only and no text. Run text recognition on the file and upload it again.'
			},
			upload_timestamp: ago(9e7)
		}),
		documentOf({
			filename: 'minutes-march.docx',
			stage: 'failed',
			error: { code: 'interrupted', detail: 'The reading was interrupted. Try again.' },
			upload_timestamp: ago(9.5e7)
		}),
		ready({
			filename: 'notes.md',
			content_type: 'text/markdown',
			size_bytes: 12_000,
			chunk_count: 6,
			knowledge_base_ids: [bases[2].id],
			upload_timestamp: ago(1e9)
		})
	];
	return { files, bases };
}

/** Reads and indexes at a pace one can watch. */
async function ingest(file) {
	const pause = () => new Promise((resolve) => setTimeout(resolve, STEP_MS));
	const slow = file.filename.startsWith('slow') ? 40 : 6;
	const stage = async (name, total, unit) => {
		for (let done = 0; done <= total; done += Math.max(1, Math.floor(total / slow))) {
			if (file.stage === 'cancelled') return;
			Object.assign(file, { stage: name, progress: { done, total, unit } });
			await pause();
		}
	};
	file.stage = 'queued';
	await pause();
	await stage('parsing', 12, 'pages');
	if (file.filename.startsWith('fail')) {
		Object.assign(file, {
			stage: 'failed',
			embedding_status: 'failed',
			progress: null,
			error: {
				code: 'encrypted',
				detail: 'The PDF is protected by a password. Remove it and upload the file again.'
			}
		});
		return;
	}
	await stage('embedding', 36, 'chunks');
	if (file.stage !== 'cancelled')
		Object.assign(file, {
			stage: 'ready',
			embedding_status: 'completed',
			progress: null,
			page_count: 12,
			chunk_count: 36
		});
}

export function passages(world) {
	const file = world.files.find((f) => f.stage === 'ready') ?? {
		document_id: newId(),
		filename: 'gone.pdf'
	};
	return [1, 2, 3, 4].map((n) => ({
		n,
		file_id: file.document_id,
		chunk_id: `0193f000-0000-7000-8000-9${String(n).padStart(11, '0')}`,
		filename: file.filename,
		page: n * 7,
		heading: 'Working time › Leave',
		score: 0.9 - n * 0.13,
		text: PASSAGE
	}));
}

function fileOf(world, id) {
	const file = world.files.find((f) => f.document_id === id);
	if (!file) throw new Problem(404, 'file_not_found', 'there is no such file');
	return file;
}

function baseView(world, base) {
	return { ...base, file_count: world.files.filter((f) => f.knowledge_base_ids.includes(base.id)).length };
}

function finish(world, upload) {
	const type = upload.content_type ?? (upload.filename.endsWith('.pdf') ? 'application/pdf' : 'text/plain');
	const file = documentOf({
		filename: upload.filename,
		size_bytes: upload.size_bytes,
		content_type: type,
		knowledge_base_ids: upload.knowledge_base_id ? [upload.knowledge_base_id] : []
	});
	contents.set(file.document_id, Buffer.concat(upload.parts));
	world.files.unshift(file);
	void ingest(file);
	return file;
}

function trace(mode) {
	const row = (n, used, reason) => ({
		chunk_id: newId(),
		file_id: newId(),
		filename: n % 2 ? 'employee-handbook-2026.pdf' : 'notes.md',
		page: n % 2 ? n * 7 : null,
		dense_rank: mode === 'bm25' ? null : n,
		dense_score: mode === 'bm25' ? null : 0.8 - n / 12,
		bm25_rank: mode === 'dense' ? null : 7 - n,
		bm25_score: mode === 'dense' ? null : 9.1 - n,
		fused_score: mode === 'hybrid' ? 0.033 - n / 900 : null,
		rerank_score: null,
		used,
		reason
	});
	return {
		mode,
		files_searched: 3,
		took_ms: { scope: 1.2, embed: 6.81, dense: 2.4, bm25: 0.9, fuse: 0.1, total: 11.6 },
		candidates: [1, 2, 3, 4, 5, 6].map((n) =>
			row(n, n < 4, n < 4 ? 'among the best k' : 'behind the best k')
		)
	};
}

const R = '/api/v1/retrieval';

export const fileRoutes = (world) => [
	[
		'GET',
		`${R}/quota`,
		() => ({
			files: world.files.length,
			files_max: 1000,
			bytes: world.files.reduce((sum, f) => sum + f.size_bytes, 0),
			bytes_max: 50_000_000,
			file_bytes_max: 100_000_000
		})
	],
	[
		'GET',
		`${R}/files`,
		({ query }) =>
			page(
				world.files.filter(
					(f) =>
						!query.get('knowledge_base_id') ||
						f.knowledge_base_ids.includes(query.get('knowledge_base_id'))
				)
			)
	],
	['GET', `${R}/files/:id`, ({ id }) => fileOf(world, id)],
	[
		'DELETE',
		`${R}/files/:id`,
		({ id }) => ((world.files = world.files.filter((f) => f.document_id !== id)), [204])
	],
	[
		'POST',
		`${R}/files/:id/cancel`,
		({ id }) => Object.assign(fileOf(world, id), { stage: 'cancelled', progress: null })
	],
	[
		'POST',
		`${R}/files/:id/retry`,
		({ id }) => {
			const file = Object.assign(fileOf(world, id), {
				filename: fileOf(world, id).filename.replace(/^fail/, 'ok'),
				stage: 'queued',
				error: null,
				embedding_status: 'pending'
			});
			void ingest(file);
			return file;
		}
	],
	[
		'GET',
		`${R}/files/:id/content`,
		({ id, response }) => {
			const file = fileOf(world, id);
			response.writeHead(200, { 'content-type': file.content_type });
			response.end(contents.get(id) ?? 'The content of the file.');
		}
	],
	[
		'GET',
		`${R}/files/:id/chunks/:chunk`,
		({ id, chunk }) => ({
			...(passages(world).find((p) => p.chunk_id === chunk) ?? passages(world)[0]),
			chunk_id: chunk,
			file_id: fileOf(world, id).document_id,
			ordinal: 3,
			start: 0,
			end: 1,
			token_count: 30,
			before: 'Everyone who works here is entitled to paid leave. The year of leave is the calendar year; who joins during it has a twelfth for each full month.\n\n',
			after: '\n\nLeave is asked for in the portal at least two weeks ahead. The head of the team answers within three working days; silence counts as a yes.',
			previous_chunk_id: null,
			next_chunk_id: null
		})
	],
	[
		'POST',
		`${R}/uploads`,
		({ body }) => {
			if (/\.(png|jpe?g|zip)$/.test(body.filename))
				throw new Problem(
					415,
					'type_refused',
					'the file is image/png; PDF, DOCX, Markdown, HTML, CSV, JSON, source code and other plain text can be read'
				);
			const upload = {
				id: newId(),
				offset: 0,
				chunk_bytes_min: 1,
				chunk_bytes_max: 4 * 1024 * 1024,
				parts: [],
				...body
			};
			uploads.set(upload.id, upload);
			return [201, { ...upload, parts: undefined }];
		}
	],
	['GET', `${R}/uploads/:id`, ({ id }) => ({ ...uploads.get(id), parts: undefined })],
	['DELETE', `${R}/uploads/:id`, ({ id }) => (uploads.delete(id), [204])],
	[
		'PATCH',
		`${R}/uploads/:id`,
		async ({ id, raw, request }) => {
			const upload = uploads.get(id);
			if (Number(request.headers['upload-offset']) !== upload.offset)
				throw new Problem(409, 'offset_conflict', 'the next chunk begins elsewhere');
			if (process.env.MOCK_UPLOAD_MS)
				await new Promise((resolve) => setTimeout(resolve, Number(process.env.MOCK_UPLOAD_MS)));
			upload.parts.push(raw);
			upload.offset += raw.length;
			if (upload.offset >= upload.size_bytes) upload.document = finish(world, upload);
			return { ...upload, parts: undefined };
		}
	],
	['GET', `${R}/knowledge-bases`, () => page(world.bases.map((base) => baseView(world, base)))],
	[
		'POST',
		`${R}/knowledge-bases`,
		({ body }) => {
			const base = { id: newId(), writable: true, created_at: ago(0), updated_at: ago(0), ...body };
			world.bases.push(base);
			return [201, baseView(world, base)];
		}
	],
	[
		'PATCH',
		`${R}/knowledge-bases/:id`,
		({ id, body }) =>
			baseView(
				world,
				Object.assign(
					world.bases.find((b) => b.id === id),
					body
				)
			)
	],
	[
		'DELETE',
		`${R}/knowledge-bases/:id`,
		({ id }) => ((world.bases = world.bases.filter((b) => b.id !== id)), [204])
	],
	[
		'POST',
		`${R}/knowledge-bases/:id/files`,
		({ id, body }) => {
			const file = fileOf(world, body.file_id);
			if (!file.knowledge_base_ids.includes(id))
				file.knowledge_base_ids = [...file.knowledge_base_ids, id];
			return file;
		}
	],
	[
		'DELETE',
		`${R}/knowledge-bases/:id/files/:file`,
		({ id, file }) => {
			fileOf(world, file).knowledge_base_ids = fileOf(world, file).knowledge_base_ids.filter(
				(one) => one !== id
			);
			return [204];
		}
	],
	[
		'POST',
		`${R}/search`,
		({ body }) => ({
			data: body.query.includes('nothing')
				? []
				: passages(world)
						.slice(0, body.k)
						.map(({ n, ...passage }) => ({ ...passage, start: n * 100, end: n * 100 + 90 })),
			trace: body.trace ? trace(body.mode) : null
		})
	]
];
