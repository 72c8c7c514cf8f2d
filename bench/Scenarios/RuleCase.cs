using TaskQueue.Bench.Load;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>A variation of the plain case, which has one queue without settings, one server and no finished tasks.</summary>
/// <param name="Name">Name in the report.</param>
/// <param name="Bound">Minimum ratio of its rate to the plain rate.</param>
internal sealed record RuleCase(string Name, double Bound)
{
    private const int QueuesPerClaim = 20;

    /// <summary>A concurrency limit and a rate limit too high to take effect.</summary>
    private const string Limits = """{"max_running":100000,"rate":{"tokens":1000000,"interval_seconds":1}}""";

    /// <summary>The plain case.</summary>
    public static readonly RuleCase Plain = new("1 queue", 1);

    /// <summary>Roles of the servers; workers claim from those with the role api.</summary>
    public IReadOnlyList<string> Servers { get; private init; } = [BenchRun.AllRoles];

    /// <summary>Body of a task by its number.</summary>
    public Func<long, string> BodyOf { get; private init; } = _ => Bodies.One(Bodies.PullQueue);

    /// <summary>Queues named by the claims, round robin.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Targets { get; private init; } = [[Bodies.PullQueue]];

    /// <summary>Settings of queues declared in advance.</summary>
    public IReadOnlyList<(string Queue, string Settings)> Declared { get; private init; } = [];

    /// <summary>Number of completed tasks in the database.</summary>
    public int Finished { get; private init; }

    public static IReadOnlyList<RuleCase> All(Sizes sizes) =>
    [
        OfQueues(sizes.Queues),
        new($"{sizes.OrderingKeys:#,0} ordering keys", 0.5) { BodyOf = n =>
            Bodies.One(Bodies.PullQueue, "ordering_key", $"key-{n % sizes.OrderingKeys}") },
        new("a dedupe key on every task", 0.5) { BodyOf = n => Bodies.One(Bodies.PullQueue, "dedupe_key", $"key-{n}") },
        new("max_running and rate that do not bind", 0.8) { Declared = [(Bodies.PullQueue, Limits)] },
        new("4 processes that claim", 0.5) { Servers = ["api", "api", "api", "api", "scheduler,consumers"] },
        new($"{sizes.RuleFinished:#,0} finished tasks", 0.5) { Finished = sizes.RuleFinished },
    ];

    private static RuleCase OfQueues(int count)
    {
        string[] names = [.. Enumerable.Range(0, count).Select(n => $"{Bodies.PullQueue}-{n}")];
        return new($"{count:#,0} queues, {QueuesPerClaim} a claim", 0.5)
        {
            BodyOf = n => Bodies.One(names[n % count]),
            Targets = [.. names.Chunk(QueuesPerClaim)],
            Declared = [.. names.Select(n => (n, "{}"))],
        };
    }

    /// <summary>Declares its queues.</summary>
    public async Task DeclareAsync(ServerProcess server, CancellationToken cancellationToken)
    {
        foreach (var (queue, settings) in Declared)
            await server.PutQueueAsync(queue, settings, cancellationToken);
    }
}
