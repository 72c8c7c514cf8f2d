import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, reachable } from './lib/api';
import { href, place } from './lib/router';
import { watch } from './lib/live';
import { load, session, signedIn } from './lib/session';
import { ActionDialog } from './ui/dialog';
import { Empty, Head, Notice, pageOpens, Skeleton } from './ui/basics';
import { Icon } from './ui/icon';
import { Toasts } from './ui/toast';
import { SignIn } from './pages/sign-in';
import { pages, visible, type Page } from './pages';
import { LiveState, Logo, Sidebar } from './sidebar';

export function App(): JSX.Element {
    const [error, setError] = useState<ApiError | null>(null);
    const [attempt, setAttempt] = useState(0);
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        load().then(
            () => setError(null),
            (e: unknown) => {
                setError(e instanceof ApiError ? e : new ApiError(0, 'The console did not start', String(e)));
                timer = setTimeout(() => setAttempt(attempt + 1), 3000);
            },
        );
        return () => clearTimeout(timer);
    }, [attempt]);

    if (!session.value) {
        return (
            <main class="alone">
                {error ? (
                    <Notice tone="bad" icon="failures">
                        <strong>{error.title}.</strong> {error.message}
                    </Notice>
                ) : (
                    <Skeleton />
                )}
            </main>
        );
    }
    return signedIn.value ? <Shell /> : <SignIn />;
}

function Shell(): JSX.Element {
    const [menu, setMenu] = useState(false);
    useEffect(() => watch(), []);
    const { parts } = place.value;
    const page = pages.find((p) => p.path === (parts[0] ?? ''));
    const address = parts.join('/');

    useEffect(() => {
        setMenu(false);
        const name = parts.length > 1 ? `${parts.slice(1).join('/')} · ${page?.title ?? ''}` : (page?.title ?? 'Not found');
        document.title = `${name} · TaskQueue`;
    }, [address]);

    const last = useRef(address);
    if (last.current !== address) {
        last.current = address;
        pageOpens();
    }

    useEffect(() => {
        const key = (event: KeyboardEvent): void => {
            const target = event.target as HTMLElement;
            if (event.key === 'Escape') setMenu(false);
            if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select, dialog'))
                return;
            event.preventDefault();
            document.querySelector<HTMLInputElement>('#page-search, #global-search')?.focus();
        };
        document.addEventListener('keydown', key);
        return () => document.removeEventListener('keydown', key);
    }, []);

    return (
        <>
            <a
                class="skip"
                href="#content"
                onClick={(e) => {
                    e.preventDefault();
                    document.getElementById('content')?.focus();
                }}
            >
                Skip to the content
            </a>
            <div class={menu ? 'shell open' : 'shell'}>
                <header class="bar">
                    <button
                        type="button"
                        class="button ghost"
                        aria-expanded={menu}
                        aria-controls="menu"
                        aria-label="Menu"
                        onClick={() => setMenu(!menu)}
                    >
                        <Icon name={menu ? 'close' : 'menu'} />
                    </button>
                    <a class="brand" href={href([])}>
                        <Logo /> TaskQueue
                    </a>
                    <LiveState />
                </header>
                <Sidebar current={page?.path} />
                <main id="content" tabIndex={-1}>
                    {!reachable.value && (
                        <Notice tone="bad" icon="failures">
                            <strong>The server does not answer.</strong> What you see may be out of date; the console reconnects by
                            itself.
                        </Notice>
                    )}
                    <Body page={page} parts={parts} />
                </main>
            </div>
            <ActionDialog />
            <Toasts />
        </>
    );
}

function Body({ page, parts }: { page: Page | undefined; parts: string[] }): JSX.Element {
    const shown = page && visible(page) ? (parts.length > 1 ? page.one?.(parts.slice(1)) : page.list()) : null;
    if (shown) return shown;
    return (
        <>
            <Head title={page ? page.title : 'Page not found'} />
            <Empty title={page ? 'This page is not available to you' : 'There is no such page'}>
                <p>
                    {page
                        ? 'Your key lacks a permission that it needs, or the server does not offer it.'
                        : 'The address may be misspelled.'}
                </p>
                <p>
                    <a class="button" href={href([])}>
                        Go to the overview
                    </a>
                </p>
            </Empty>
        </>
    );
}
