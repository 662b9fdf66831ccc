/** Identity: the gateway's /api/v1/auth. */
import { call } from './client';
import { readJson, send } from './http';
import type {
	ApiKey,
	AuthConfig,
	Me,
	NewApiKey,
	NewKeyRequest,
	Page,
	SessionInfo,
	SignUp,
	TokenAnswer
} from './types';

const AUTH = '/api/v1/auth';

export async function authConfig(): Promise<AuthConfig> {
	return readJson(await send('GET', `${AUTH}/config`));
}

export async function signUp(body: SignUp): Promise<TokenAnswer> {
	return readJson(await send('POST', `${AUTH}/signup`, { body }));
}

export async function signIn(body: { email: string; password: string }): Promise<TokenAnswer> {
	return readJson(await send('POST', `${AUTH}/signin`, { body }));
}

export const signOut = () => call<void>('POST', `${AUTH}/signout`);
export const me = () => call<Me>('GET', `${AUTH}/me`);
export const changePassword = (body: { current_password: string; new_password: string }) =>
	call<void>('POST', `${AUTH}/password`, { body });

export const listSessions = () => call<Page<SessionInfo>>('GET', `${AUTH}/sessions`);
export const revokeSession = (id: string) => call<void>('DELETE', `${AUTH}/sessions/${id}`);

export const listKeys = () => call<Page<ApiKey>>('GET', `${AUTH}/api-keys`, { query: { limit: 100 } });
export const createKey = (body: NewKeyRequest) => call<NewApiKey>('POST', `${AUTH}/api-keys`, { body });
export const revokeKey = (id: string) => call<void>('DELETE', `${AUTH}/api-keys/${id}`);
