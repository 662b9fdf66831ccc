declare global {
	namespace App {
		interface PageState {
			palette?: boolean;
		}
	}
}

export {};
