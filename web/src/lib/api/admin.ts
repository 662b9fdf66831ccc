/** Administration: users, teams and the state of the platform. */
import { call } from './client';
import type { Page, PlatformStatus, Role, TeamInfo, UserDetail, UserStatus } from './types';

export const listUsers = (after: string | null = null) =>
	call<Page<UserDetail>>('GET', '/api/v1/admin/users', { query: { limit: 100, after } });
export const listTeams = (after: string | null = null) =>
	call<Page<TeamInfo>>('GET', '/api/v1/admin/teams', { query: { limit: 100, after } });
export const updateUser = (id: string, body: { role?: Role; status?: UserStatus }) =>
	call<UserDetail>('PATCH', `/api/v1/admin/users/${id}`, { body });
/** The account at once; what is theirs in every service soon after (docs/retention.md). */
export const deleteUser = (id: string) => call<void>('DELETE', `/api/v1/admin/users/${id}`);
export const platformStatus = () => call<PlatformStatus>('GET', '/api/v1/status');
