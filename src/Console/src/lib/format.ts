const two = (n: number): string => String(n).padStart(2, '0');

/** 950 ms, 4.2 s, 3 m 20 s, 2 h 5 m, 3 d 4 h. */
export function duration(seconds: number | null | undefined): string {
    if (seconds == null || !Number.isFinite(seconds)) return '–';
    if (seconds < 0) return `−${duration(-seconds)}`;
    if (seconds < 1) return seconds === 0 ? '0 s' : `${Math.max(1, Math.round(seconds * 1000))} ms`;
    if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
    const s = Math.round(seconds);
    if (s < 60) return `${s} s`;
    if (s < 3600) return join(Math.floor(s / 60), 'm', s % 60, 's');
    const m = Math.round(s / 60);
    if (m < 1440) return join(Math.floor(m / 60), 'h', m % 60, 'm');
    const h = Math.round(m / 60);
    return join(Math.floor(h / 24), 'd', h % 24, 'h');
}

const join = (a: number, unit: string, b: number, small: string): string => (b ? `${a} ${unit} ${b} ${small}` : `${a} ${unit}`);

/** 12,345; beyond a hundred thousand 1.2 M. */
export function count(n: number | null | undefined): string {
    if (n == null) return '–';
    if (Math.abs(n) < 100_000) return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
    for (const [size, unit] of [
        [1e9, 'B'],
        [1e6, 'M'],
        [1e3, 'k'],
    ] as const) {
        if (Math.abs(n) >= size) return `${Number((n / size).toFixed(n / size < 100 ? 1 : 0))} ${unit}`;
    }
    return String(n);
}

/** 0, 0.25, 3.1, 1,200 per second. */
export function rate(n: number | null | undefined): string {
    if (n == null) return '–';
    if (n === 0) return '0';
    if (n < 0.01) return '<0.01';
    return n < 1 ? String(Number(n.toFixed(2))) : n < 100 ? String(Number(n.toFixed(1))) : count(n);
}

export function bytes(n: number | null | undefined): string {
    if (n == null) return '–';
    for (const [size, unit] of [
        [1e9, 'GB'],
        [1e6, 'MB'],
        [1e3, 'kB'],
    ] as const)
        if (n >= size) return `${Number((n / size).toFixed(1))} ${unit}`;
    return `${n} B`;
}

/** 2026-03-01 12:00:05, in the viewer's time zone. */
export function time(iso: string | null | undefined, milliseconds = false): string {
    if (!iso) return '–';
    const d = new Date(iso);
    if (Number.isNaN(d.getTime())) return iso;
    const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
    const text = `${day} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
    return milliseconds ? `${text}.${String(d.getMilliseconds()).padStart(3, '0')}` : text;
}

/** 3 m ago, in 2 h. */
export function ago(iso: string | null | undefined, now: number): string {
    if (!iso) return '–';
    const seconds = (now - Date.parse(iso)) / 1000;
    if (Number.isNaN(seconds)) return iso;
    if (Math.abs(seconds) < 1.5) return 'now';
    const rough = coarse(Math.abs(seconds));
    return seconds > 0 ? `${rough} ago` : `in ${rough}`;
}

function coarse(seconds: number): string {
    if (seconds < 60) return `${Math.round(seconds)} s`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} m`;
    if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
    return `${Math.round(seconds / 86_400)} d`;
}

export const seconds = (from: string | null | undefined, to: string | null | undefined | number): number | null => {
    if (!from || !to) return null;
    const value = ((typeof to === 'number' ? to : Date.parse(to)) - Date.parse(from)) / 1000;
    return Number.isNaN(value) ? null : value;
};

/** The first characters of an id, which rows show. */
export const short = (id: string): string => (id.length > 20 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id);

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
