import { describe, expect, it } from 'vitest';
import { isEmpty, parseText, problem, read, request, selection, toText, write } from '../src/lib/filters';

describe('filters', () => {
    it('survive the address', () => {
        const address = 'queue=mails&error=Smtp+421&created_from=2026-03-01T12%3A00&state=failed&state=expired&tag=a';
        expect(write(read(new URLSearchParams(address))).toString()).toBe(address);
    });

    it('leave out what is unknown, empty or repeated', () => {
        const filters = read(new URLSearchParams('queue=&color=red&state=failed&state=failed&state=&cursor=x&name=%20send%20'));
        expect(write(filters).toString()).toBe('name=send&state=failed');
        expect(isEmpty(read(new URLSearchParams('cursor=x')))).toBe(true);
    });

    it('send times as UTC', () => {
        const filters = read(new URLSearchParams('created_from=2026-03-01T12:00:00Z&finished_to=yesterday'));
        expect(request(filters).get('created_from')).toBe('2026-03-01T12:00:00.000Z');
        expect(request(filters).get('finished_to')).toBe('yesterday');
    });

    it('become the selection of an operation', () => {
        expect(selection({ queue: 'mails', state: ['failed'], tag: ['a', 'b'] })).toEqual({
            queue: 'mails',
            state: ['failed'],
            tag: ['a', 'b'],
        });
    });

    it('are read from the search box', () => {
        expect(parseText('queue:mails state:failed tag:a tag:b send')).toEqual({
            queue: 'mails',
            state: ['failed'],
            tag: ['a', 'b'],
            name: 'send',
        });
        expect(parseText('01a20143-9cd1-4000-b914-6cd1c8630a23').id).toBe('01a20143-9cd1-4000-b914-6cd1c8630a23');
        expect(parseText('queue:images:resize error:"421 try again"')).toEqual({
            queue: 'images:resize',
            error: '421 try again',
            state: [],
            tag: [],
        });
        expect(parseText('mail:send').name).toBe('mail:send');
    });

    it('are refused with a state that no task has', () => {
        expect(problem(parseText('state:foo'))).toContain('foo is not a state; there are pending, running');
        expect(problem(parseText('state:failed mail:send'))).toBeNull();
    });

    it('are shown in the search box as they can be typed', () => {
        const filters = { queue: 'mails', error: '421 try again', state: ['failed'], tag: ['a'] };
        expect(parseText(toText(filters))).toEqual(filters);
    });
});
