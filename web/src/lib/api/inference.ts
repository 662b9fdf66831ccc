/** Models: /api/v1/inference. */
import { call } from './client';
import type { Model, Page } from './types';

export const listModels = () =>
	call<Page<Model>>('GET', '/api/v1/inference/models', { query: { limit: 100 } });
