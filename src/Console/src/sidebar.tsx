import type { JSX } from 'preact';
import { live } from './lib/live';
import { href } from './lib/router';
import { session, signOut } from './lib/session';
import { applyTheme, theme, type Theme } from './lib/theme';
import { pages, visible } from './pages';
import { Button } from './ui/basics';
import { Icon } from './ui/icon';

/** The way to each page. */
export function Sidebar({ current }: { current: string | undefined }): JSX.Element {
    const shown = pages.filter(visible);
    const caller = session.value!.caller;
    return (
        <nav class="side" id="menu" aria-label="Pages">
            <a class="brand" href={href([])}>
                <Logo /> TaskQueue
            </a>
            {(['Work', 'Setup', 'Operations'] as const).map((group) => (
                <div key={group} class="side-group">
                    <p class="side-title" id={`group-${group}`}>
                        {group}
                    </p>
                    <ul aria-labelledby={`group-${group}`}>
                        {shown
                            .filter((p) => p.group === group)
                            .map((p) => (
                                <li key={p.path}>
                                    <a href={href(p.path ? [p.path] : [])} aria-current={p.path === current ? 'page' : undefined}>
                                        <Icon name={p.path || 'overview'} />
                                        {p.title}
                                        {(p.badge?.() ?? 0) > 0 && (
                                            <span class="side-badge">
                                                {p.badge!()}
                                                <span class="hidden"> need attention</span>
                                            </span>
                                        )}
                                    </a>
                                </li>
                            ))}
                    </ul>
                </div>
            ))}
            <div class="side-foot">
                <LiveState />
                {session.value!.read_only && <p class="side-note">Read only</p>}
                {caller?.name && (
                    <p class="side-caller">
                        <span title={caller.scopes.join(', ')}>
                            {caller.name}
                            <small>{caller.tenant ?? (caller.operator ? 'all tenants' : '')}</small>
                        </span>
                        <Button kind="ghost" label="Sign out" onClick={() => void signOut()}>
                            <Icon name="exit" />
                        </Button>
                    </p>
                )}
                <ThemeSwitch />
                <p class="version">{session.value!.version}</p>
            </div>
        </nav>
    );
}

export const Logo = (): JSX.Element => (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" class="logo-back" />
        <path d="M9 10h14M9 16h10M9 22h5" class="logo-lines" />
    </svg>
);

export function LiveState(): JSX.Element {
    const words = { connecting: 'Connecting', live: 'Live', paused: 'Paused', lost: 'Reconnecting' } as const;
    return (
        <span class={`live ${live.value}`}>
            <i aria-hidden="true" />
            {words[live.value]}
        </span>
    );
}

function ThemeSwitch(): JSX.Element {
    const choices: [Theme, string, string][] = [
        ['light', 'Light', 'sun'],
        ['dark', 'Dark', 'moon'],
        ['system', 'As the system', 'system'],
    ];
    return (
        <div class="themes" role="group" aria-label="Colours">
            {choices.map(([value, name, icon]) => (
                <button
                    type="button"
                    key={value}
                    aria-pressed={theme.value === value}
                    aria-label={name}
                    title={name}
                    onClick={() => applyTheme(value)}
                >
                    <Icon name={icon} />
                </button>
            ))}
        </div>
    );
}
