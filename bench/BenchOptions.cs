using TaskQueue.Bench.Soak;

namespace TaskQueue.Bench;

/// <summary>Command line options.</summary>
internal sealed record BenchOptions(
    IReadOnlyList<string> Scenarios, bool Quick, int Repeat, string Database, Uri RabbitMq, string Scratch, string Command, string Commit,
    SoakPlan Soak)
{
    public Sizes Sizes => Quick ? Sizes.Quick : Sizes.Full;
}

/// <summary>Sizes of the scenarios. A quarter of Claimed must be a multiple of 100, a quarter of Pushed a multiple of 500.</summary>
internal sealed record Sizes
{
    public static Sizes Full { get; } = new();

    /// <summary>Smoke test: only shows that everything works.</summary>
    public static Sizes Quick { get; } = new()
    {
        WarmUp = TimeSpan.FromSeconds(1),
        Load = TimeSpan.FromSeconds(1),
        WarmUps = 5,
        Waiting = 10_000,
        Claimed = 4_000,
        Pushed = 2_000,
        Dispatched = 20_000,
        WakeUps = 20,
        Scheduled = 5,
        BacklogWaiting = 10_000,
        BacklogFinished = 200_000,
        BacklogClaims = 100,
        BacklogReads = 10,
        RuleWaiting = 10_000,
        RuleClaimed = 4_000,
        RuleFinished = 100_000,
        Queues = 100,
        OrderingKeys = 2_000,
        KeepSeconds = 1,
        Takeable = 20_000,
        Takes = TimeSpan.FromSeconds(1),
        Streams = 50,
        Lines = 2_000,
        Snapshot = 50_000,
        Scaled = 16_000,
        Searched = 100_000,
        Searches = 2,
    };

    /// <summary>Warm-up load before a rate is measured.</summary>
    public TimeSpan WarmUp { get; private init; } = TimeSpan.FromSeconds(5);

    /// <summary>Warm-up tasks or claims before a latency is measured.</summary>
    public int WarmUps { get; private init; } = 300;

    /// <summary>How long wrk and pgbench run per rate sample.</summary>
    public TimeSpan Load { get; private init; } = TimeSpan.FromSeconds(15);

    /// <summary>Waiting tasks at the start of a claim rate sample.</summary>
    public int Waiting { get; private init; } = 1_000_000;

    /// <summary>Tasks claimed per claim rate sample.</summary>
    public int Claimed { get; private init; } = 200_000;

    /// <summary>Tasks or messages per push rate sample.</summary>
    public int Pushed { get; private init; } = 100_000;

    /// <summary>Events of an outbox dispatcher's backlog.</summary>
    public int Dispatched { get; private init; } = 2_000_000;

    public int WakeUps { get; private init; } = 300;

    public int Scheduled { get; private init; } = 50;

    /// <summary>Waiting tasks while claims of a backlog are timed.</summary>
    public int BacklogWaiting { get; private init; } = 1_000_000;

    /// <summary>Finished tasks of the backlog.</summary>
    public int BacklogFinished { get; private init; } = 10_000_000;

    public int BacklogClaims { get; private init; } = 500;

    /// <summary>Requests of each list, and scrapes, per sample.</summary>
    public int BacklogReads { get; private init; } = 30;

    /// <summary>Waiting tasks at the start of a sample with rules, submitted over HTTP: at least five per ordering key.</summary>
    public int RuleWaiting { get; private init; } = 100_000;

    /// <summary>Tasks claimed per sample with rules, after a warm-up of a quarter as many.</summary>
    public int RuleClaimed { get; private init; } = 40_000;

    public int RuleFinished { get; private init; } = 1_000_000;

    public int Queues { get; private init; } = 1_000;

    public int OrderingKeys { get; private init; } = 10_000;

    /// <summary>Waiting tasks while takes are timed.</summary>
    public int Takeable { get; private init; } = 200_000;

    /// <summary>How long takes are timed, or events are sent, per sample.</summary>
    public TimeSpan Takes { get; private init; } = TimeSpan.FromSeconds(5);

    /// <summary>Lines per batch.</summary>
    public int Lines { get; private init; } = 50_000;

    /// <summary>Number of open streams.</summary>
    public int Streams { get; private init; } = 1_000;

    /// <summary>Tasks drained beside a held snapshot: a multiple of 10,000.</summary>
    public int Snapshot { get; private init; } = 1_000_000;

    /// <summary>Tasks per sample of the scale figures, over all databases: a multiple of 16,000.</summary>
    public int Scaled { get; private init; } = 400_000;

    /// <summary>Tasks among which searches are timed.</summary>
    public int Searched { get; private init; } = 10_000_000;

    /// <summary>Runs of each search.</summary>
    public int Searches { get; private init; } = 10;

    /// <summary>How long finished tasks are kept when retention removes them under load.</summary>
    public int KeepSeconds { get; private init; } = 5;
}
