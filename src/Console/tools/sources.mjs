// What the bundle is built from: one line a file, "SHA-256  path", in the order of the paths' characters.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = ['index.html', 'package-lock.json', 'package.json', 'tsconfig.json', 'vite.config.ts'];
for (const folder of ['src', 'tools']) {
    for (const entry of readdirSync(root + folder, { recursive: true, withFileTypes: true })) {
        const path = `${entry.parentPath}/${entry.name}`.slice(root.length).replaceAll('\\', '/');
        if (entry.isFile() && !path.startsWith('src/generated/')) files.push(path);
    }
}
export const sources = () =>
    files
        .sort((a, b) => (a < b ? -1 : 1))
        .map(
            (file) =>
                `${createHash('sha256')
                    .update(readFileSync(root + file))
                    .digest('hex')}  ${file}\n`,
        )
        .join('');
