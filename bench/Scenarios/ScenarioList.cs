using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Soak;

namespace TaskQueue.Bench.Scenarios;

/// <summary>All scenarios, in report order.</summary>
internal static class ScenarioList
{
    /// <summary>Takes as long as all others together, so it runs only when named.</summary>
    private const string Soak = "soak";

    public static IReadOnlyList<(string Name, Func<BenchRun, Task<IReadOnlyList<Figure>>> RunAsync)> All { get; } =
    [
        ("post", PostScenario.RunAsync),
        ("post-sqlite", PostSqliteScenario.RunAsync),
        ("auth", AuthScenario.RunAsync),
        ("client", ClientScenario.EnqueueAsync),
        ("client-worker", ClientScenario.WorkAsync),
        ("bulk", BulkScenario.RunAsync),
        ("claim", ClaimScenario.RunAsync),
        ("push", PushScenario.RunAsync),
        ("dispatch", DispatchScenario.RunAsync),
        ("wakeup", WakeUpScenario.RunAsync),
        ("scheduled", ScheduledScenario.RunAsync),
        ("claim-latency", ClaimLatencyScenario.RunAsync),
        ("claim-rules", ClaimRulesScenario.RunAsync),
        ("metrics", MetricsScenario.RunAsync),
        ("retention", RetentionScenario.RunAsync),
        ("bella-put", BellaScenario.PutAsync),
        ("bella-take", BellaScenario.TakeAsync),
        ("bella-blocking", BellaScenario.BlockingAsync),
        ("bella-streams", StreamScenario.RunAsync),
        ("batch-split", BatchScenario.SplitAsync),
        ("batch-run", BatchScenario.RunAsync),
        (Soak, SoakScenario.RunAsync),
    ];

    /// <summary>Scenarios to run if none is named.</summary>
    public static IReadOnlyList<string> Default { get; } = [.. All.Select(s => s.Name).Where(n => n != Soak)];
}
