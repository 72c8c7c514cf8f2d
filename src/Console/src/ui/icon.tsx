import type { JSX } from 'preact';

const shapes: Record<string, string> = {
    overview: 'M3 12l9-8 9 8M5 10v10h5v-6h4v6h5V10',
    tasks: 'M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01',
    failures: 'M12 3l10 18H2L12 3zM12 10v4M12 17.5h.01',
    queues: 'M3 6h18v4H3zM5 14h14v4H5z',
    workers: 'M6 6h12v12H6zM9 2v4M15 2v4M9 18v4M15 18v4M2 9h4M2 15h4M18 9h4M18 15h4',
    schedules: 'M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
    batches: 'M12 3l9 5-9 5-9-5 9-5zM3 13l9 5 9-5',
    callbacks: 'M10 14l11-11M21 3l-7 19-4-8-8-4 19-7z',
    operations: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4',
    audit: 'M9 4h6v3H9zM15 5h4v16H5V5h4M9 12h6M9 16h6',
    keys: 'M14.5 9.5a5 5 0 1 1-3-3L21 3v4h-3v3h-3.5',
    maintenance: 'M14 7a4 4 0 0 1 5-5l-2.5 2.5 3 3L22 5a4 4 0 0 1-5 5l-9 9-3-3 9-9z',
    quarantine: 'M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6l8-3zM9.5 9.5l5 5M14.5 9.5l-5 5',
    search: 'M17 11a6 6 0 1 1-12 0 6 6 0 0 1 12 0zM20 20l-4.5-4.5',
    menu: 'M4 6h16M4 12h16M4 18h16',
    close: 'M6 6l12 12M18 6L6 18',
    copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
    check: 'M4 12.5l5 5L20 7',
    retry: 'M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5',
    pause: 'M8 5v14M16 5v14',
    play: 'M7 4l12 8-12 8V4z',
    trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13',
    sun:
        'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2' +
        'M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4',
    moon: 'M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5z',
    system: 'M3 5h18v11H3zM9 20h6M12 16v4',
    right: 'M9 5l7 7-7 7',
    down: 'M5 9l7 7 7-7',
    info: 'M12 11v6M12 7.5h.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
    exit: 'M15 12H4M8 8l-4 4 4 4M11 4h9v16h-9',
    plus: 'M12 5v14M5 12h14',
    download: 'M12 4v11M7 11l5 5 5-5M4 20h16',
    filter: 'M4 5h16l-6 8v6l-4-2v-4L4 5z',
};

/** A decorative icon: what it stands for is said beside it. */
export function Icon({ name }: { name: string }): JSX.Element {
    return (
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d={shapes[name] ?? shapes['info']!} />
        </svg>
    );
}
