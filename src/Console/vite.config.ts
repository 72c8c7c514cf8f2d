import { defineConfig } from 'vitest/config';

// One script and one style sheet, named by their content. The host serves index.html for every page, with the address of the
// console before the relative ones of the files, and its path base in a meta element.
export default defineConfig({
    base: './',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
        target: 'es2023',
        cssTarget: 'esnext',
        assetsInlineLimit: 0,
        modulePreload: false,
        cssCodeSplit: false,
        reportCompressedSize: false,
        rollupOptions: { output: { codeSplitting: false } },
    },
    test: { environment: 'node', include: ['test/**/*.test.ts'] },
});
