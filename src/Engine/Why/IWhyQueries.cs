using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Why;

/// <summary>Reads what may keep a task from running. What each read costs is bounded, however many tasks wait.</summary>
public interface IWhyQueries
{
    /// <summary>Finds a task without its texts, but with the error of a failed one; null if the caller may not read it.</summary>
    Task<TaskState?> FindAsync(Guid id, Access access, DateTime now, CancellationToken cancellationToken);

    /// <summary>Reads what a waiting or running task may wait for; null if it is gone.</summary>
    Task<WaitingFacts?> ReadAsync(TaskState task, DateTime now, CancellationToken cancellationToken);

    /// <summary>Those of the tasks that the caller may read.</summary>
    Task<List<GateHolder>> FindHoldersAsync(IReadOnlyCollection<Guid> ids, Access access, CancellationToken cancellationToken);

    /// <summary>
    /// A few of the running tasks that count against the limit of a queue and that the caller may read: those whose lease ends first.
    /// </summary>
    Task<List<GateHolder>> RunningAsync(string queue, Access access, CancellationToken cancellationToken);
}

/// <summary>What was read about a waiting task, of every owner.</summary>
public sealed record WaitingFacts
{
    /// <summary>Tasks are counted up to this number; one more means that there are more.</summary>
    public const int MostCounted = 1000;

    /// <summary>Tasks of its queue and tier that are claimed before it.</summary>
    public int Ahead { get; init; }

    /// <summary>Tasks of its ordering key that wait between the head and it.</summary>
    public int AheadOfKey { get; init; }

    /// <summary>The running task of its ordering key.</summary>
    public Guid? RunningHead { get; init; }

    /// <summary>The waiting head of its ordering key.</summary>
    public Guid? WaitingHead { get; init; }

    /// <summary>Running tasks that count against the concurrency limit of its queue.</summary>
    public long Running { get; init; }

    /// <summary>When the token bucket of its queue was empty, in effect: Unix nanoseconds; null if it has none.</summary>
    public long? BucketBase { get; init; }

    /// <summary>The running task for which sequential claims of its queue and tier wait.</summary>
    public Guid? LockedBy { get; init; }

    /// <summary>Until when they wait at the latest.</summary>
    public DateTime? LockedUntil { get; init; }

    /// <summary>When it was set aside, if it still is.</summary>
    public DateTime? SetAsideAt { get; init; }

    /// <summary>Whether an active worker claims from its queue and tier, or may do so.</summary>
    public bool IsServed { get; init; }

    /// <summary>The last contact of a worker that claims or claimed from its queue and tier, as far as it is known.</summary>
    public DateTime? ServedAt { get; init; }
}
