using System.Text;

namespace TaskQueue.Bench.Reporting;

/// <summary>Renders the Markdown report.</summary>
internal static class Report
{
    public static async Task<string> WriteAsync(BenchRun run, IReadOnlyList<Figure> figures)
    {
        var text = new StringBuilder();
        if (run.Options.Quick)
            text.AppendLine("**A quick run: it shows that the tool works. Its figures mean nothing.**").AppendLine();
        text.AppendLine(
            $"| figure | measured: median (min–max) of {run.Options.Repeat} | reference of the same run | ratio | to reach |");
        text.AppendLine("|---|---|---|---|---|");
        foreach (var figure in figures)
            text.AppendLine($"| {figure.Name} | {figure.Measured} | {Show(figure.Reference)} | "
                + $"{(figure.Ratio is { } ratio ? $"{ratio:0.00}" : "–")} | {Goals(figure)} |");
        text.AppendLine();
        text.AppendLine($"- Machine: {Machine.Describe(run.Options.Scratch)}");
        text.AppendLine($"- Commit: {run.Options.Commit}");
        text.AppendLine($"- {await run.Server.VersionAsync()}, RabbitMQ {await run.Broker.VersionAsync()}, .NET {Environment.Version}");
        text.Append($"- Command: `{run.Options.Command}`");
        return text.ToString();
    }

    private static string Show(Reference? reference) => reference is null ? "–" : $"{reference.Series}<br>{reference.Name}";

    private static string Goals(Figure figure) =>
        figure.Goals.Count == 0
            ? "–"
            : string.Join("<br>", figure.Goals.Select(g => $"{g.Show(figure.Measured.Unit)} {(g.IsReached(figure) ? "✓" : "✗")}"));
}
