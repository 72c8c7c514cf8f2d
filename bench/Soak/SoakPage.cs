using System.Text;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Soak;

/// <summary>Renders the page of a run: verdict, chart, samples and cost per task.</summary>
internal static class SoakPage
{
    private const int Lines = 20;

    public static async Task WriteAsync(BenchRun run, SoakVerdict verdict, IReadOnlyList<(string Index, long Bytes)> indexes,
        IReadOnlyList<string> settings)
    {
        var text = new StringBuilder();
        var plan = verdict.Plan;
        text.AppendLine("# Soak").AppendLine();
        text.AppendLine($"{plan.Rate:#,0} tasks a second for {plan.Seconds / 60d:0.#} minutes, offered by the clock, 20 a request; four "
            + $"pull workers claim up to 50 and report them{(plan.Console ? "; a browser shows the console's overview" : "")}.");
        text.AppendLine($"Finished tasks are kept for {plan.KeepSeconds} s. Written by the driver; see [bench](../bench/README.md).")
            .AppendLine();
        text.AppendLine("![Sizes, claims, memory and rates over the run](soak.svg)").AppendLine();
        text.AppendLine("| figure | last quarter: median (min–max) | second quarter | ratio | to reach |")
            .AppendLine("|---|---|---|---|---|");
        foreach (var figure in verdict.Figures)
            text.AppendLine(Row(figure));
        text.AppendLine().AppendLine(await ConditionsAsync(run, settings)).AppendLine();
        text.AppendLine("## What a task costs").AppendLine().AppendLine(Costs(verdict, indexes));
        text.AppendLine("## Samples").AppendLine().Append(Samples(verdict));
        Directory.CreateDirectory(plan.Folder);
        await File.WriteAllTextAsync(Path.Combine(plan.Folder, "soak.md"), text.ToString(), run.Stop);
        await File.WriteAllTextAsync(Path.Combine(plan.Folder, "soak.svg"), SoakChart.Draw(verdict), run.Stop);
        run.Say($"wrote soak.md and soak.svg to {plan.Folder}");
    }

    private static string Row(Figure f) =>
        $"| {f.Name} | {f.Measured} | {(f.Reference is { } r ? r.Series : "–")} | {(f.Ratio is { } ratio ? $"{ratio:0.00}" : "–")} | " +
        $"{string.Join(", ", f.Goals.Select(g => $"{g.Show(f.Measured.Unit)} {(g.IsReached(f) ? "✓" : "✗")}"))} |";

    private static async Task<string> ConditionsAsync(BenchRun run, IReadOnlyList<string> settings) =>
        $"""
        - Machine: {Machine.Describe(run.Options.Scratch)}; servers, load and driver share it
        - Commit: {run.Options.Commit}
        - {await run.Server.VersionAsync()}, RabbitMQ {await run.Broker.VersionAsync()}, .NET {Environment.Version}
        - PostgreSQL: {string.Join("; ", settings)}
        - Processes: one of each role
        - Command: `{run.Options.Command}`
        """;

    private static string Costs(SoakVerdict verdict, IReadOnlyList<(string Index, long Bytes)> indexes)
    {
        var steady = verdict.Steady;
        double Mean(Func<SoakSample, double> value) => steady.Average(value);
        var text = new StringBuilder();
        var tasks = Mean(s => s.Table("tasks").Rows);
        var rows = SoakPlan.Tables.Select(table => $"{Mean(s => s.Table(table).Rows):#,0} in `{table}`");
        text.AppendLine($"After the warm-up, on average: {string.Join(", ", rows)} (rows). Sizes include the room that removed rows left "
            + "behind.").AppendLine();
        text.AppendLine("| bytes a task that is kept | heap | indexes | TOAST |").AppendLine("|---|---|---|---|");
        foreach (var name in SoakPlan.Tables)
            text.AppendLine($"| `{name}` | {Mean(s => s.Table(name).Heap) / tasks:#,0} | {Mean(s => s.Table(name).Indexes) / tasks:#,0} | "
                + $"{Mean(s => s.Table(name).Toast) / tasks:#,0} |");
        text.AppendLine();
        text.AppendLine($"- Write-ahead log: {Mean(s => s.Wal) / Mean(s => s.Completed) / 1e3:0.0} kB a task from submission to removal, "
            + $"{Mean(s => s.Wal) / 1e6:0.0} MB/s.");
        for (var i = 0; i < SoakPlan.Roles.Count; i++)
        {
            var role = SoakPlan.Roles[i];
            text.AppendLine(
                $"- `{role}`: {Mean(s => s.Processes[i].Megabytes):0} MB, {Mean(s => s.Processes[i].Cores):0.00} cores, " +
                $"at most {verdict.Samples.Max(s => s.Database.Connections.GetValueOrDefault(role))} connections to the database.");
        }

        text.AppendLine($"- Autovacuum ran: {string.Join(", ", SoakPlan.Tables.Select(t => $"{Vacuums(verdict, t)} times on `{t}`"))}.");
        text.AppendLine($"- Indexes at the end, MB: {string.Join(", ", indexes.Select(i => $"`{i.Index}` {i.Bytes / 1e6:0.0}"))}.");
        return text.ToString();
    }

    private static long Vacuums(SoakVerdict verdict, string table) =>
        verdict.Samples[^1].Database.Table(table).Vacuums - verdict.Samples[0].Database.Table(table).Vacuums;

    private static string Samples(SoakVerdict verdict)
    {
        var text = new StringBuilder();
        text.AppendLine($"| s | {string.Join(" | ", SoakPlan.Tables.Select(t => $"{t}: rows (dead) | MB"))} | claim p50 ms | p99 ms | "
            + $"in/s | done/s | removed/s | WAL MB/s | outbox s | overdue s | {string.Join(" | ", SoakPlan.Roles)} MB |{(verdict.Plan.Console ? " browser MB |" : "")}");
        text.AppendLine($"|{string.Concat(Enumerable.Repeat("--:|", 9 + (2 * SoakPlan.Tables.Count) + SoakPlan.Roles.Count + (verdict.Plan.Console ? 1 : 0)))}");
        foreach (var s in verdict.Samples.Where((_, i) => (i + 1) % Math.Max(1, verdict.Samples.Count / Lines) == 0))
        {
            var tables = SoakPlan.Tables.Select(s.Table).Select(t => $"{t.Rows:#,0} ({t.Dead:#,0}) | {t.Megabytes:0}");
            text.AppendLine(
                $"| {s.Seconds:0} | {string.Join(" | ", tables)} | "
                + $"{s.Claim.P50:0.0} | {s.Claim.P99:0.0} | {s.Accepted:#,0} | {s.Completed:#,0} | {s.Removed:#,0} | {s.Wal / 1e6:0.0} | "
                + $"{s.Database.OutboxSeconds:0.0} | {s.Database.OverdueSeconds:0.0} | "
                + $"{string.Join(" | ", s.Processes.Select(p => $"{p.Megabytes:0}"))} |{(s.Browser is { } browser ? $" {browser:0} |" : "")}");
        }

        return text.ToString();
    }
}
