/** What a reply is made of beside its text: steps, tool calls, the files they made, the passages it may cite. */

export interface Attachment {
	file_id: string;
	filename: string;
	content_type: string;
	size_bytes: number;
}

/** A passage the model was given; `n` is the number it is cited by, as in [1]. */
export interface Citation {
	n: number;
	file_id: string;
	chunk_id: string;
	filename: string;
	page?: number | null;
	heading?: string | null;
	score: number;
	text: string;
}

/** A step begins; above its first attempt the text of the earlier one is void. */
export interface Step {
	step: number;
	attempt: number;
	kind: 'model' | 'tool' | 'retrieval';
	title: string;
}

/** A file a tool made; `url` is a path of the gateway that needs the reader's token. */
export interface RunFile {
	file_id: string;
	name: string;
	content_type: string;
	size_bytes: number;
	url: string;
}

export type ToolStatus = 'awaiting_approval' | 'running' | 'done' | 'failed' | 'denied';

export interface ToolCall {
	step: number;
	call_id: string;
	name: string;
	title: string;
	status: ToolStatus;
	arguments: Record<string, unknown>;
	/** What the model got to read. */
	result?: string | null;
	files: RunFile[];
	duration_ms?: number | null;
}

export type Part = Step | ToolCall;
