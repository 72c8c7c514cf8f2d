// Fails when the compressed bundle is larger than 150 kB.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limit = 150_000;
const dist = new URL('../dist/', import.meta.url);
let total = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'sources.sha256') continue;
    const bytes = gzipSync(readFileSync(`${entry.parentPath}/${entry.name}`), { level: 9 }).length;
    total += bytes;
    console.log(`${String(bytes).padStart(8)}  ${entry.name}`);
}
console.log(`${String(total).padStart(8)}  in all, compressed; at most ${limit}`);
if (total > limit) process.exit(1);
