import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { time } from '../lib/format';
import { colours } from '../lib/theme';

export interface Series {
    name: string;
    colour: 'accent' | 'good' | 'bad' | 'warn' | 'muted';
    values: (number | null)[];
    format: (v: number) => string;
}

/** The time of a tick: the date when ticks are days apart. */
const clock = (unix: number, step: number): string => {
    const text = time(new Date(unix * 1000).toISOString());
    return step >= 86_400 ? text.slice(5, 10) : text.slice(11, 16);
};

/** A chart over time. Its label says the newest values, for screen readers. */
export function Chart({
    times,
    series,
    label,
    height = 200,
}: {
    times: number[];
    series: Series[];
    label: string;
    height?: number;
}): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const theme = colours.value;
    const shape = series.map((s) => s.name).join();

    useEffect(() => {
        const element = box.current!;
        const colour = (name: string): string => {
            const probe = element.appendChild(document.createElement('i'));
            probe.className = `probe-${name}`;
            const value = getComputedStyle(probe).color;
            probe.remove();
            return value;
        };
        const format = series[0]!.format;
        const axis = {
            stroke: colour('muted'),
            grid: { stroke: colour('line'), width: 1 },
            ticks: { show: false },
            font: '11px system-ui, sans-serif',
        };
        const made = new uPlot(
            {
                width: Math.max(200, element.clientWidth),
                height,
                cursor: { drag: { x: false, y: false }, points: { size: 6 } },
                legend: { live: true },
                scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
                axes: [
                    { ...axis, values: (_u, ticks, _axis, _space, step) => ticks.map((t) => clock(t, step)) },
                    { ...axis, size: 64, values: (_u, ticks) => ticks.map((t) => format(t)) },
                ],
                series: [
                    { label: 'Time', value: '{YYYY}-{MM}-{DD} {HH}:{mm}' },
                    ...series.map((s) => ({
                        label: s.name,
                        stroke: colour(s.colour),
                        width: 1.5,
                        spanGaps: true,
                        points: { show: false },
                        value: (_u: uPlot, v: number | null) => (v === null ? '–' : s.format(v)),
                    })),
                ],
            },
            [times, ...series.map((s) => s.values)],
            element,
        );
        plot.current = made;
        const resize = new ResizeObserver(() => made.setSize({ width: Math.max(200, element.clientWidth), height }));
        resize.observe(element);
        return () => {
            resize.disconnect();
            made.destroy();
            plot.current = null;
        };
    }, [theme, shape, height]);

    useEffect(() => plot.current?.setData([times, ...series.map((s) => s.values)]), [times, series]);

    return <div class="chart" ref={box} role="img" aria-label={label} />;
}
