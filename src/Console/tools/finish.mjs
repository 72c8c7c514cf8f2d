// After the build: records what the bundle was built from, and checks its size.
import { writeFileSync } from 'node:fs';
import { sources } from './sources.mjs';

writeFileSync(new URL('../dist/sources.sha256', import.meta.url), sources());
await import('./size.mjs');
