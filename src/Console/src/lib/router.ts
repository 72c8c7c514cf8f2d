import { signal } from '@preact/signals';

/** Where the server's API lives, such as "/": its path base, which the host writes into the page. */
export const root = `${pathBase()}/`;

function pathBase(): string {
    if (typeof document === 'undefined') return '';
    return document.querySelector<HTMLMetaElement>('meta[name=path-base]')?.content ?? '';
}

/** Where the console lives, such as "/console/". */
export const base = `${root}console/`;

export interface Place {
    /** Decoded parts of the path below the console. */
    parts: string[];
    query: URLSearchParams;
}

const here = (): Place => ({
    parts: location.pathname.slice(base.length).split('/').filter(Boolean).map(decodeURIComponent),
    query: new URLSearchParams(location.search),
});

export const place = signal<Place>(typeof location === 'undefined' ? { parts: [], query: new URLSearchParams() } : here());

/** The address of a page: its parts are encoded. */
export function href(parts: readonly string[], query?: URLSearchParams | Record<string, string | null | undefined>): string {
    const search = query instanceof URLSearchParams ? query : new URLSearchParams();
    if (query && !(query instanceof URLSearchParams)) for (const [k, v] of Object.entries(query)) if (v) search.set(k, v);
    const text = search.toString();
    return base + parts.map(encodeURIComponent).join('/') + (text ? `?${text}` : '');
}

export function go(address: string, replace = false): void {
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    place.value = here();
}

/** Makes links within the console change the page without loading it again. */
export function listen(): void {
    addEventListener('popstate', () => (place.value = here()));
    document.addEventListener('click', (event) => {
        const link = (event.target as Element).closest?.('a[href]') as HTMLAnchorElement | null;
        if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
            return;
        if (link.target || link.hasAttribute('download') || link.origin !== location.origin || !link.pathname.startsWith(base)) return;
        if (link.getAttribute('href')!.startsWith('#')) return;
        event.preventDefault();
        if (link.href !== location.href) go(link.pathname + link.search);
        scrollTo(0, 0);
    });
}

/** The full address of a route of the API, for commands. */
export const address = (path: string): string => new URL(root + path, location.origin).href;
