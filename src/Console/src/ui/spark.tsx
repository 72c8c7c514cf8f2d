import type { JSX } from 'preact';

/** A small line of the last values. */
export function Spark({ values, label }: { values: number[]; label: string }): JSX.Element {
    const width = 96;
    const height = 24;
    if (values.length < 2) return <span class="muted">–</span>;
    const top = Math.max(...values, 1e-9);
    const points = values.map(
        (v, i) => `${((i / (values.length - 1)) * width).toFixed(1)},${(height - 2 - (v / top) * (height - 4)).toFixed(1)}`,
    );
    return (
        <svg
            class="spark"
            viewBox={`0 0 ${width} ${height}`}
            width={width}
            height={height}
            role="img"
            aria-label={label}
            preserveAspectRatio="none"
        >
            <polygon points={`0,${height} ${points.join(' ')} ${width},${height}`} />
            <polyline points={points.join(' ')} />
        </svg>
    );
}
