using System.Globalization;
using System.Text;

namespace TaskQueue.Bench.Soak;

/// <summary>A line of a panel.</summary>
internal sealed record ChartLine(string Name, Func<SoakSample, double> Value);

/// <summary>Renders four panels of lines over time as SVG, which adapts to light and dark mode.</summary>
internal static class SoakChart
{
    private const int Width = 460;
    private const int Height = 270;
    private const int Left = 52;
    private const int Top = 58;
    private const int Right = 14;
    private const int Bottom = 28;
    private const int GridLines = 4;

    private const string Style =
        """
        .page { fill: #ffffff }
        text { font: 12px system-ui, sans-serif; fill: #59636e }
        .title { font-weight: 600; fill: #1f2328 }
        .grid { stroke: #d1d9e0; stroke-width: 1 }
        .l0 { color: #0969da } .l1 { color: #bc4c00 } .l2 { color: #1a7f37 } .l3 { color: #8250df } .l4 { color: #bf3989 }
        tspan { fill: currentColor }
        polyline { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round }
        @media (prefers-color-scheme: dark) {
          .page { fill: #0d1117 } text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #3d444d }
          .l0 { color: #4493f8 } .l1 { color: #f0883e } .l2 { color: #3fb950 } .l3 { color: #ab7df8 }
          .l4 { color: #db61a2 }
        }
        """;

    public static string Draw(SoakVerdict run)
    {
        var svg = new StringBuilder();
        svg.Append($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * Width} {2 * Height}" role="img" """)
            .AppendLine("""aria-label="Sizes, claims, memory and rates over the run">""");
        svg.AppendLine($"<style>{Style}</style>").AppendLine("""<rect class="page" width="100%" height="100%"/>""");
        IReadOnlyList<ChartLine> memory = [.. SoakPlan.Roles.Select((role, i) => new ChartLine(role, s => s.Processes[i].Megabytes))];
        Panel(svg, run, 0, 0, "Size with indexes, MB",
            [.. SoakPlan.Tables.Select(table => new ChartLine(table, s => s.Table(table).Megabytes))]);
        Panel(svg, run, Width, 0, "Claim, ms", [new("p99", s => s.Claim.P99), new("p50", s => s.Claim.P50)]);
        Panel(svg, run, 0, Height, "Resident memory, MB", memory);
        Panel(svg, run, Width, Height, "Tasks a second",
            [new("accepted", s => s.Accepted), new("completed", s => s.Completed), new("removed", s => s.Removed)]);
        return svg.Append("</svg>").ToString();
    }

    private static void Panel(StringBuilder svg, SoakVerdict run, int x, int y, string title, IReadOnlyList<ChartLine> lines)
    {
        var top = Round(run.Samples.Max(s => lines.Max(l => l.Value(s))));
        svg.AppendLine($"""<g transform="translate({x} {y})">""").AppendLine($"""<text class="title" x="{Left}" y="22">{title}</text>""");
        Grid(svg, run.Plan.Seconds, top);
        for (var i = 0; i < lines.Count; i++)
        {
            var line = lines[i];
            var points = run.Samples.Select(s =>
                $"{At(s.Seconds / run.Plan.Seconds, Left, Width - Right)},{At(line.Value(s) / top, Height - Bottom, Top)}");
            svg.AppendLine($"""<polyline class="l{i}" points="{string.Join(' ', points)}"/>""");
            svg.AppendLine($"""<text x="{Left + (i * 80)}" y="44"><tspan class="l{i}">■</tspan> {line.Name}</text>""");
        }

        svg.AppendLine("</g>");
    }

    private static void Grid(StringBuilder svg, int seconds, double top)
    {
        for (var i = 0; i <= GridLines; i++)
        {
            var share = (double)i / GridLines;
            var (across, down) = (At(share, Left, Width - Right), At(share, Height - Bottom, Top));
            svg.AppendLine($"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{down}" y2="{down}"/>""");
            var value = (top * share).ToString("#,0.##", CultureInfo.InvariantCulture);
            svg.AppendLine($"""<text x="{Left - 6}" y="{down}" text-anchor="end" dy="0.32em">{value}</text>""");
            var anchor = i == GridLines ? "end" : "middle";
            var minutes = (seconds * share / 60).ToString("0.#", CultureInfo.InvariantCulture);
            svg.AppendLine($"""<text x="{across}" y="{Height - 8}" text-anchor="{anchor}">{minutes} min</text>""");
        }
    }

    private static string At(double share, double from, double to) =>
        (from + (share * (to - from))).ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>Rounds up to 1, 2, 4 or 8 times a power of ten, so that the grid labels are short.</summary>
    private static double Round(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 0.001))));
        return power * (value / power) switch { <= 1 => 1, <= 2 => 2, <= 4 => 4, <= 8 => 8, _ => 10 };
    }
}
