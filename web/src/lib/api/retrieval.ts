/** Documents, knowledge bases and search: /api/v1/retrieval. */
import { call, fetchAs, idempotencyKey } from './client';
import { errorFromResponse } from './errors';
import type { Page } from './types';

const RETRIEVAL = '/api/v1/retrieval';

export type Stage = 'queued' | 'parsing' | 'embedding' | 'ready' | 'failed' | 'cancelled';
export type Access = 'private' | 'organisation';
export type SearchMode = 'dense' | 'bm25' | 'hybrid';

export interface Document {
	document_id: string;
	customer_id: string;
	filename: string;
	s3_key: string;
	content_type: string;
	size_bytes: number;
	upload_timestamp: string;
	embedding_status: 'pending' | 'completed' | 'failed';
	qdrant_collection: string;
	qdrant_point_id: string | null;
	stage: Stage;
	progress?: { done: number; total: number | null; unit: 'bytes' | 'pages' | 'chunks' } | null;
	error?: { code: string; detail: string } | null;
	sha256: string;
	page_count?: number | null;
	chunk_count?: number | null;
	token_count?: number | null;
	knowledge_base_ids: string[];
	updated_at: string;
}

export interface KnowledgeBase {
	id: string;
	name: string;
	description: string;
	access: Access;
	writable: boolean;
	file_count: number;
	created_at: string;
	updated_at: string;
}

export interface Upload {
	id: string;
	/** How many bytes the server has. */
	offset: number;
	/** Least bytes of a chunk that is not the last. */
	chunk_bytes_min?: number;
	chunk_bytes_max: number;
	/** Once the last byte arrived. */
	document?: Document | null;
	/** Why it was refused. */
	error?: { code: string; detail: string } | null;
}

export interface NewUpload {
	filename: string;
	size_bytes: number;
	content_type?: string;
	knowledge_base_id?: string;
}

/** @param headers the idempotency key: an answer that was lost must not begin a second upload */
export const createUpload = (body: NewUpload, headers: Record<string, string>, signal: AbortSignal) =>
	call<Upload>('POST', `${RETRIEVAL}/uploads`, { body, signal, headers });
export const dropUpload = (id: string) => call<void>('DELETE', `${RETRIEVAL}/uploads/${id}`);
export const readUpload = (id: string, signal: AbortSignal) =>
	call<Upload>('GET', `${RETRIEVAL}/uploads/${id}`, { signal });
export const sendChunk = (id: string, offset: number, chunk: Blob, signal: AbortSignal) =>
	call<Pick<Upload, 'offset' | 'document'>>('PATCH', `${RETRIEVAL}/uploads/${id}`, {
		raw: chunk,
		signal,
		headers: { 'upload-offset': String(offset), 'content-type': 'application/octet-stream' }
	});

/** What one keeps, unfinished uploads counted, and may keep. */
export interface Quota {
	files: number;
	files_max: number;
	bytes: number;
	bytes_max: number;
	file_bytes_max: number;
}

const FILES = `${RETRIEVAL}/files`;

/** The own files, newest first; or those of a knowledge base. */
export const listFiles = (after: string | null, knowledgeBaseId: string | null = null, limit = 50) =>
	call<Page<Document>>('GET', FILES, { query: { limit, after, knowledge_base_id: knowledgeBaseId } });
export const getFile = (id: string, signal?: AbortSignal) =>
	call<Document>('GET', `${FILES}/${id}`, { signal });
export const deleteFile = (id: string) => call<void>('DELETE', `${FILES}/${id}`);
export const cancelFile = (id: string) => call<Document>('POST', `${FILES}/${id}/cancel`);
export const retryFile = (id: string) => call<Document>('POST', `${FILES}/${id}/retry`);
export const quota = () => call<Quota>('GET', `${RETRIEVAL}/quota`);

/** The file as it was uploaded. */
export async function fileContent(id: string): Promise<Blob> {
	const response = await fetchAs('GET', `${FILES}/${id}/content`, { headers: { accept: '*/*' } });
	if (!response.ok) throw await errorFromResponse(response);
	return response.blob();
}

/** A passage with what stands around it. */
export interface PassageInPlace {
	chunk_id: string;
	text: string;
	page: number | null;
	/** The headings it stands under, outermost first. */
	heading: string | null;
	/** Null: it is the first. */
	before: string | null;
	/** Null: it is the last. */
	after: string | null;
	previous_chunk_id: string | null;
	next_chunk_id: string | null;
}

export const getPassage = (fileId: string, chunkId: string) =>
	call<PassageInPlace>('GET', `${FILES}/${fileId}/chunks/${chunkId}`);

const BASES = `${RETRIEVAL}/knowledge-bases`;

export type KnowledgeFields = Pick<KnowledgeBase, 'name' | 'description' | 'access'>;

export const listKnowledge = (after: string | null = null) =>
	call<Page<KnowledgeBase>>('GET', BASES, { query: { limit: 100, after } });
export const createKnowledge = (body: KnowledgeFields) =>
	call<KnowledgeBase>('POST', BASES, { body, headers: idempotencyKey() });
export const updateKnowledge = (id: string, body: Partial<KnowledgeFields>) =>
	call<KnowledgeBase>('PATCH', `${BASES}/${id}`, { body });
export const deleteKnowledge = (id: string) => call<void>('DELETE', `${BASES}/${id}`);
export const addToKnowledge = (id: string, fileId: string) =>
	call<Document>('POST', `${BASES}/${id}/files`, { body: { file_id: fileId } });
export const removeFromKnowledge = (id: string, fileId: string) =>
	call<void>('DELETE', `${BASES}/${id}/files/${fileId}`);

export interface SearchRequest {
	query: string;
	knowledge_base_ids?: string[];
	file_ids?: string[];
	k: number;
	mode: SearchMode;
	rerank: boolean;
	trace: boolean;
}

export interface Passage {
	chunk_id: string;
	text: string;
	score: number;
	file_id: string;
	filename: string;
	page: number | null;
	heading: string | null;
	start: number;
	end: number;
}

/** A passage that was looked at, with its ranks (from 1) and scores, and why it was used or not. */
export interface Candidate {
	chunk_id: string;
	file_id: string;
	filename: string;
	page: number | null;
	dense_rank?: number | null;
	dense_score?: number | null;
	bm25_rank?: number | null;
	bm25_score?: number | null;
	fused_score?: number | null;
	rerank_score?: number | null;
	used: boolean;
	reason: string;
}

export interface SearchAnswer {
	data: Passage[];
	trace?: {
		mode: SearchMode;
		files_searched: number;
		took_ms: Record<string, number>;
		candidates: Candidate[];
	} | null;
}

export const search = (body: SearchRequest, signal?: AbortSignal) =>
	call<SearchAnswer>('POST', `${RETRIEVAL}/search`, { body, signal });
