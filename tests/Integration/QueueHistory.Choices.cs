using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Random choices.</summary>
internal sealed partial class QueueHistory
{
    // Each seed is biased differently: in percent, how many tasks have a dedupe key, have an ordering key, and fail for good at once.
    private readonly (int Keyed, int Ordered, int Frail) _lean = (10 + (seed % 3 * 40), 10 + (seed / 3 % 3 * 40), 10 + (seed % 4 * 25));

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T Pick<T>(IReadOnlyList<T> list) => list[_random.Next(list.Count)];

    private Guid NewId()
    {
        var bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes);
    }

    private string Worker() => $"w{_random.Next(3)}";

    /// <summary>A time around now, with more digits than the database keeps; often none.</summary>
    private DateTime? SomeTime(int fromSeconds, int toSeconds, int percent) =>
        Chance(percent)
            ? _model.Now.AddTicks((long)((fromSeconds + (_random.NextDouble() * (toSeconds - fromSeconds))) * TimeSpan.TicksPerSecond))
            : null;

    /// <summary>One of the newer tasks of a kind: in the order of the model's dictionary, which the seed gives too.</summary>
    private TaskState? AnyTask(Func<TaskState, bool> kind)
    {
        var tasks = _model.Tasks.Values.Where(kind).TakeLast(30).ToList();
        return tasks.Count == 0 ? null : Pick(tasks);
    }

    private TaskSubmission Submission()
    {
        var key = Chance(_lean.Keyed) ? $"k{_random.Next(4)}" : null;
        var id = Chance(3) && AnyTask(_ => true) is { } old ? old.CorrelationId : NewId();
        return new TaskSubmission(id, Pick(Queues), $"\"{_random.Next(1000)}\"")
        {
            Tier = _random.Next(2),
            Priority = Chance(40) ? Pick(Enum.GetValues<Priority>()) : null,
            ScheduledAt = SomeTime(-10, 90, 30),
            ExpiresAt = SomeTime(-2, 240, 30),
            MaxAttempts = Chance(_lean.Frail) ? 1 : Chance(30) ? _random.Next(2, 4) : null,
            DedupeKey = key,
            Overwrite = key is not null && Chance(60) ? (OverwriteFields)_random.Next(8) : OverwriteFields.None,
            OrderingKey = Chance(_lean.Ordered) ? $"t{_random.Next(2)}" : null,
            LeaseSeconds = Chance(30) ? _random.Next(1, 60) : null,
            Retry = Retry(30),
        };
    }

    private RetryPolicy? Retry(int percent) => !Chance(percent) ? null : Pick(
    [
        new RetryPolicy(),
        new RetryPolicy { Intervals = [] },
        new RetryPolicy { Intervals = [0] },
        new RetryPolicy { Intervals = [1.5, 0, 20] },
        new RetryPolicy { FirstSeconds = 0.25, Factor = 3, CapSeconds = 2 },
    ]);

    private QueueSettings Settings() => new()
    {
        Description = $"{_random.Next(1000)}",
        LeaseMs = Chance(30) ? _random.Next(1, 60) * 1000 : null,
        ExpireAfterMs = Chance(30) ? _random.Next(5, 300) * 1000 : null,
        Retry = Retry(40),
        MaxAttempts = Chance(30) ? _random.Next(1, 4) : null,
        MaxRunning = Chance(40) ? _random.Next(1, 4) : 0,
        Rate = Chance(30) ? new RateLimit(_random.Next(1, 6), Pick([1L, 100, 3_333, 60_000])) : null,
        Paused = Chance(10),
        DeadLetters = new DeadLetterSettings(Chance(80), Chance(50) ? _random.Next(1, 4) : 0,
            Chance(40) ? _random.Next(1, 120) * 1000 : null),
        KeepFinishedMs = Chance(40) ? _random.Next(1, 600) * 1000 : null,
        Events = Chance(60) ? EventPolicy.All : Pick(Enum.GetValues<EventPolicy>()),
        Tiers = !Chance(40) ? null : new Dictionary<int, TierDefaults>
        {
            [1] = new()
            {
                LeaseMs = Chance(30) ? 7_000 : null,
                ExpireAfterMs = Chance(30) ? 30_000 : null,
                Retry = Retry(30),
                MaxAttempts = Chance(30) ? 2 : null,
                Priority = Chance(50) ? Priority.High : null,
            },
        },
    };

    private static string Text(TaskSubmission s) =>
        $"{Short(s.Id)} {s.Queue}:{s.Tier} key {s.DedupeKey ?? "-"} ({s.Overwrite}) thread {s.OrderingKey ?? "-"} priority {s.Priority} "
        + $"at {s.ScheduledAt:HH:mm:ss.fffffff}"
        + $" until {s.ExpiresAt:HH:mm:ss.fffffff} attempts {s.MaxAttempts} retry {s.Retry} lease {s.LeaseSeconds}";

    private static string Short(Guid id) => id.ToString()[..8];
}
