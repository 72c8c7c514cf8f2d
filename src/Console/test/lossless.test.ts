import { describe, expect, it } from 'vitest';
import { isNull, member, parse, toValue, write } from '../src/json/lossless';

describe('lossless JSON', () => {
    it('keeps the digits of numbers', () => {
        for (const text of ['9007199254740993', '-0', '1.10', '1e400', '123456789012345678901234567890', '0.1e-7'])
            expect(write(parse(text))).toBe(text);
    });

    it('keeps the order of members, and repeated names', () => {
        const text = '{"10":1,"2":{"__proto__":3},"a":[],"a":{}}';
        expect(write(parse(text))).toBe(text);
        expect(member(parse(text), 'a')).toEqual({ kind: 'object', members: [] });
    });

    it('reads what JSON.parse reads', () => {
        for (const text of ['[1,2,{"a":null}]', ' { "x" : [ true , false ] } ', '"\\u00e9\\n\\"\\\\"', '""', 'null', '-1.5E+3']) {
            expect(toValue(parse(text))).toEqual(JSON.parse(text));
        }
    });

    it('refuses what JSON.parse refuses', () => {
        for (const text of [
            '',
            '{',
            '[1,]',
            '{"a"}',
            '{"a":1,}',
            '01',
            '1.',
            '.5',
            '+1',
            'nul',
            '"\n"',
            '"\\x"',
            '[1] 2',
            "'a'",
            'NaN',
        ]) {
            expect(() => JSON.parse(text), text).toThrow();
            expect(() => parse(text), text).toThrow(SyntaxError);
        }
    });

    it('refuses what is nested too deeply, instead of failing', () => {
        expect(() => parse('['.repeat(100_000))).toThrow(SyntaxError);
        expect(write(parse('['.repeat(150) + ']'.repeat(150)))).toHaveLength(300);
    });

    it('writes over several lines as JSON.stringify does', () => {
        const value = { a: [1, { b: 'c' }], d: {}, e: [], f: null };
        expect(write(parse(JSON.stringify(value)), '  ')).toBe(JSON.stringify(value, null, 2));
    });

    it('knows null and absent', () => {
        const json = parse('{"a":null,"b":false}');
        expect([isNull(member(json, 'a')), isNull(member(json, 'x')), isNull(member(json, 'b'))]).toEqual([true, true, false]);
    });
});
