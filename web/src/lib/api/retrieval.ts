/** Documents, knowledge bases and search: /api/v1/retrieval. */
import { call, fetchAs, idempotencyKey } from './client';
import { errorFromResponse } from './errors';
import type { components as Service } from './generated/retrieval-service';
import type { Filled, Page } from './types';

const RETRIEVAL = '/api/v1/retrieval';

type Schemas = Service['schemas'];

export type Document = Filled<Schemas['DocumentMetadata'], 'knowledge_base_ids'>;
export type Stage = Document['stage'];
export type KnowledgeBase = Schemas['KnowledgeBase'];
export type Access = KnowledgeBase['access'];
/**
 * `offset`: how many bytes the server has. The document is there once the last byte arrived; else why it was
 * refused.
 */
export type Upload = Pick<Schemas['UploadView'], 'id' | 'offset' | 'chunk_bytes_max' | 'error'> & {
	chunk_bytes_min?: number;
	document?: Document | null;
};
export type NewUpload = Schemas['UploadCreate'];

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
export type Quota = Schemas['QuotaView'];

const FILES = `${RETRIEVAL}/files`;

/** The own files, newest first; or those of a knowledge base. */
export const listFiles = (after: string | null, knowledgeBaseId: string | null = null, limit = 50) =>
	call<Page<Document>>('GET', FILES, { query: { limit, after, knowledge_base_id: knowledgeBaseId } });
/** The own files that can be looked things up in, newest first. */
export const listReadyFiles = (after: string | null) =>
	call<Page<Document>>('GET', FILES, { query: { limit: 100, after, stage: 'ready' } });
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

/** A passage with what stands around it; null before the first and after the last. */
export type PassageInPlace = Schemas['ChunkInContext'];

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

export type SearchRequest = Schemas['SearchRequest'];
export type SearchMode = Schemas['SearchTrace']['mode'];
export type Passage = Schemas['Passage'];
/** A passage that was looked at, with its ranks (from 1) and scores, and why it was used or not. */
export type Candidate = Schemas['Candidate'];
export type SearchAnswer = Schemas['SearchResponse'];

export const search = (body: SearchRequest, signal?: AbortSignal) =>
	call<SearchAnswer>('POST', `${RETRIEVAL}/search`, { body, signal });
