using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Failures;

/// <summary>What a group's failures are.</summary>
public enum FailureKind
{
    /// <summary>Attempts that their worker reported as failed.</summary>
    Error = 0,

    /// <summary>Attempts whose worker was lost: expired leases.</summary>
    Crash = 1,
}

/// <summary>What somebody decided about a group of failures.</summary>
public enum FailureState
{
    /// <summary>Nothing yet.</summary>
    Open = 0,

    /// <summary>The cause is mended: another failure opens the group again.</summary>
    Resolved = 1,

    /// <summary>Counted, and of no interest.</summary>
    Ignored = 2,
}

/// <summary>Failed attempts with the same cause, as far as their errors tell.</summary>
public sealed class FailureGroup : IOwnedInQueue
{
    /// <summary>Derived from what its failures have in common.</summary>
    public Guid Id { get; set; }

    /// <summary>Whether workers reported the failures or were lost.</summary>
    public FailureKind Kind { get; set; }

    /// <summary>Owner of the tasks.</summary>
    public string? Owner { get; set; }

    /// <summary>Base name of their queue; empty for failures of all queues.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Name of the tasks.</summary>
    public string? Name { get; set; }

    /// <summary>Type of the error; encrypted where encryption is on.</summary>
    public string? ErrorType { get; set; }

    /// <summary>The normalised error; encrypted where encryption is on.</summary>
    public string Message { get; set; } = "";

    /// <summary>What somebody decided about it.</summary>
    public FailureState State { get; set; }

    /// <summary>Whether it was opened again by a failure after it was resolved.</summary>
    public bool Regressed { get; set; }

    /// <summary>Number of failures.</summary>
    public long Count { get; set; }

    /// <summary>When the first of them happened.</summary>
    public DateTime FirstSeenAt { get; set; }

    /// <summary>When the last of them happened.</summary>
    public DateTime LastSeenAt { get; set; }

    /// <summary>When its state was last set.</summary>
    public DateTime? ChangedAt { get; set; }

    /// <summary>Versions of the workers that failed, the newest failures first, separated by line feeds; null if unknown.</summary>
    public string? Versions { get; set; }

    /// <summary>Changes with every write.</summary>
    public int Version { get; set; }

    /// <summary>The newest failures, newest first; not stored with the group.</summary>
    public IReadOnlyList<FailureSample> Samples { get; set; } = [];
}

/// <summary>One of the newest failures of a group.</summary>
public sealed class FailureSample
{
    /// <summary>Generated in ascending order.</summary>
    public long Id { get; set; }

    /// <summary>Its group.</summary>
    public Guid GroupId { get; set; }

    /// <summary>The task that failed; it may be gone.</summary>
    public Guid TaskId { get; set; }

    /// <summary>The attempt.</summary>
    public int Attempt { get; set; }

    /// <summary>When it failed.</summary>
    public DateTime At { get; set; }

    /// <summary>The worker that ran it.</summary>
    public string? Worker { get; set; }

    /// <summary>The beginning of its error; encrypted where encryption is on.</summary>
    public string Error { get; set; } = "";

    /// <summary>Where the error came from; encrypted where encryption is on.</summary>
    public string? Stack { get; set; }
}
