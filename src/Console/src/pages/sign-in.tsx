import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../lib/api';
import { place, root } from '../lib/router';
import { session, signIn } from '../lib/session';
import { Button, Notice } from '../ui/basics';

const refusals: Record<string, string> = {
    denied: 'The identity provider refused to sign you in.',
    no_access: 'You are known to the identity provider, but nothing here is open to you. Ask an operator for a scope.',
    failed: "Single sign-on failed. Try again; the server's log says why.",
};

/** Where a caller gives a key, or goes to the identity provider. */
export function SignIn(): JSX.Element {
    const [key, setKey] = useState('');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const input = useRef<HTMLInputElement>(null);
    const methods = session.value!.methods;
    const wanted = `/console/${place.value.parts.map(encodeURIComponent).join('/')}`;
    const refused = place.value.query.get('sign_in_error');

    useEffect(() => {
        document.title = 'Sign in · TaskQueue';
        input.current?.focus();
    }, []);

    const submit = async (): Promise<void> => {
        setBusy(true);
        setError(null);
        try {
            await signIn(key.trim());
        } catch (failure) {
            const e = failure as ApiError;
            setError(
                e.status === 401 || e.status === 403
                    ? new ApiError(e.status, 'This key is not accepted', e.message || 'It is unknown, expired or revoked.')
                    : e,
            );
            setBusy(false);
            input.current?.focus();
        }
    };

    return (
        <main class="alone sign-in">
            <div class="sign-card">
                <svg class="logo big" viewBox="0 0 32 32" aria-hidden="true">
                    <rect width="32" height="32" rx="8" class="logo-back" />
                    <path d="M9 10h14M9 16h10M9 22h5" class="logo-lines" />
                </svg>
                <h1>Sign in to TaskQueue</h1>
                {refused && (
                    <Notice tone="bad" icon="failures">
                        {refusals[refused] ?? refusals['failed']}
                    </Notice>
                )}
                {methods.includes('oidc') && (
                    <a class="button primary block" href={`${root}console/oidc/sign-in?return=${encodeURIComponent(wanted)}`}>
                        Continue with single sign-on
                    </a>
                )}
                {methods.includes('oidc') && methods.includes('key') && <p class="or">or</p>}
                {(methods.includes('key') || methods.length === 0) && (
                    <form
                        onSubmit={(e) => {
                            e.preventDefault();
                            void submit();
                        }}
                    >
                        <label for="key">API key</label>
                        <input
                            id="key"
                            ref={input}
                            class="input"
                            type="password"
                            autocomplete="current-password"
                            required
                            value={key}
                            aria-describedby="key-help"
                            aria-invalid={error !== null}
                            onInput={(e) => setKey(e.currentTarget.value)}
                        />
                        <p class="help" id="key-help">
                            The console shows what this key may see. It is kept by the server, not in the browser.
                        </p>
                        {error && (
                            <div role="alert">
                                <Notice tone="bad" icon="failures">
                                    <strong>{error.title}.</strong> {error.message}
                                </Notice>
                            </div>
                        )}
                        <Button type="submit" kind="primary" disabled={busy || !key.trim()}>
                            {busy ? 'Signing in…' : 'Sign in'}
                        </Button>
                    </form>
                )}
                <p class="help">
                    No key yet? <code>taskqueue keys create NAME --scope read</code> issues one.
                </p>
            </div>
        </main>
    );
}
