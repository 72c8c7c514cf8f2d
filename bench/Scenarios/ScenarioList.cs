using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Soak;

namespace TaskQueue.Bench.Scenarios;

/// <summary>All scenarios, in report order.</summary>
internal static class ScenarioList
{
    /// <summary>
    /// Run only when named: soak and search take as long as all others together, peers installs other task queues, and scale starts
    /// databases of its own.
    /// </summary>
    private static readonly string[] OnRequest = ["peers", "scale", "search", "soak"];

    public static IReadOnlyList<(string Name, Func<BenchRun, Task<IReadOnlyList<Figure>>> RunAsync)> All { get; } =
    [
        ("post", PostScenario.RunAsync),
        ("post-sqlite", PostSqliteScenario.RunAsync),
        ("auth", AuthScenario.RunAsync),
        ("client", ClientScenario.EnqueueAsync),
        ("client-worker", ClientScenario.WorkAsync),
        ("bulk", BulkScenario.RunAsync),
        ("claim", ClaimScenario.RunAsync),
        ("grpc", GrpcScenario.RunAsync),
        ("push", PushScenario.RunAsync),
        ("dispatch", DispatchScenario.RunAsync),
        ("wakeup", WakeUpScenario.RunAsync),
        ("scheduled", ScheduledScenario.RunAsync),
        ("claim-rules", ClaimRulesScenario.RunAsync),
        ("backlog", BacklogScenario.RunAsync),
        ("search", SearchScenario.RunAsync),
        ("snapshot", SnapshotScenario.RunAsync),
        ("retention", RetentionScenario.RunAsync),
        ("bella-put", BellaScenario.PutAsync),
        ("bella-take", BellaScenario.TakeAsync),
        ("bella-blocking", BellaScenario.BlockingAsync),
        ("bella-streams", StreamScenario.RunAsync),
        ("batch-split", BatchScenario.SplitAsync),
        ("batch-split-large", BatchScenario.SplitLargeAsync),
        ("batch-run", BatchScenario.RunAsync),
        ("batch-run-many", BatchScenario.RunManyAsync),
        ("peers", PeersScenario.RunAsync),
        ("scale", ScaleScenario.RunAsync),
        ("soak", SoakScenario.RunAsync),
    ];

    /// <summary>Scenarios to run if none is named.</summary>
    public static IReadOnlyList<string> Default { get; } = [.. All.Select(s => s.Name).Except(OnRequest)];
}
