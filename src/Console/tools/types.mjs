// Writes src/generated/schema.ts, the types of the server's answers, from docs/openapi.json.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const document = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'));
// The server reads numbers from strings too, but always answers with numbers.
const numbers = (node) => {
    if (Array.isArray(node)) node.forEach(numbers);
    else if (node && typeof node === 'object') {
        if (Array.isArray(node.type) && node.pattern && node.type.some((t) => t === 'integer' || t === 'number')) {
            node.type = node.type.filter((t) => t !== 'string');
            delete node.pattern;
        }
        Object.values(node).forEach(numbers);
    }
};
numbers(document);
mkdirSync(new URL('../src/generated/', import.meta.url), { recursive: true });
writeFileSync(new URL('../src/generated/schema.ts', import.meta.url), astToString(await openapiTS(document)));
