/** Administration: users and the state of the platform. */
import { call } from './client';
import type { Page, PlatformStatus, Role, UserDetail, UserStatus } from './types';

export const listUsers = (after: string | null = null) =>
	call<Page<UserDetail>>('GET', '/api/v1/admin/users', { query: { limit: 100, after } });
export const updateUser = (id: string, body: { role?: Role; status?: UserStatus }) =>
	call<UserDetail>('PATCH', `/api/v1/admin/users/${id}`, { body });
export const platformStatus = () => call<PlatformStatus>('GET', '/api/v1/status');
