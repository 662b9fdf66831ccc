/** For tests: every text is there from the start, in English and German. */
import { GERMAN } from './de';
import { complete, wantAll } from './index';

await wantAll();
await complete(GERMAN);
