using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Failures;

/// <summary>Which groups of failures to list; null is any.</summary>
public sealed record FailureFilter
{
    /// <summary>Base name of the queue.</summary>
    public string? Queue { get; init; }

    /// <summary>State of the group.</summary>
    public FailureState? State { get; init; }

    /// <summary>Kind of the failures.</summary>
    public FailureKind? Kind { get; init; }

    /// <summary>Name of the tasks.</summary>
    public string? Name { get; init; }
}

/// <summary>A position in the list of groups, which is in order of the last failure.</summary>
public readonly record struct FailureCursor(DateTime LastSeenAt, Guid Id);

/// <summary>Stores groups of failures.</summary>
public interface IFailureStore
{
    /// <summary>Lists groups that the caller may see, those with the newest failure first, with the ids of their samples' tasks.</summary>
    Task<List<FailureGroup>> ListAsync(
        FailureFilter filter, FailureCursor? after, int max, Access access, CancellationToken cancellationToken);

    /// <summary>A group with its samples, or null.</summary>
    Task<FailureGroup?> FindAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>Sets the state of a group.</summary>
    /// <returns>Its former state; null if there is none for the caller.</returns>
    Task<FailureState?> ChangeAsync(Guid id, FailureState state, DateTime now, Access access, CancellationToken cancellationToken);

    /// <summary>Counts the groups of every owner in a state.</summary>
    Task<int> CountAsync(FailureState state, CancellationToken cancellationToken);

    /// <summary>Removes groups without a failure since a time.</summary>
    /// <param name="state">Only groups in this state; null is any.</param>
    /// <param name="before">The time.</param>
    /// <param name="max">Largest number of groups.</param>
    /// <returns>Number of groups removed.</returns>
    Task<int> RemoveAsync(FailureState? state, DateTime before, int max);
}

/// <summary>Adds to groups of failures.</summary>
internal interface IFailureCounter
{
    /// <summary>
    /// Adds counts and samples to their groups in one transaction. Groups that would be too many are counted in the owner's group of other
    /// failures.
    /// </summary>
    Task AddAsync(IReadOnlyList<PendingGroup> groups, FailureOptions limits, CancellationToken cancellationToken);
}
