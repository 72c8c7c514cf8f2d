namespace TaskQueue.Engine.Workers;

/// <summary>Whether a worker works.</summary>
public enum WorkerState
{
    /// <summary>It contacts the engine.</summary>
    Active = 0,

    /// <summary>It has been silent for too long.</summary>
    Lost = 1,

    /// <summary>It has said goodbye, or was drained and is silent.</summary>
    Stopped = 2,
}

/// <summary>A row of table <c>workers</c>.</summary>
public sealed class WorkerRecord
{
    /// <summary>Maximum length of a name; others are not registered.</summary>
    public const int MaxName = 200;

    /// <summary>Hash of owner, credential and name, in hexadecimal: every process computes the same one.</summary>
    public string Id { get; set; } = "";

    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Tenant of its credential; null for the server's own workers and without authentication.</summary>
    public string? Owner { get; set; }

    /// <summary>The credential of its claims, or null.</summary>
    public string? Credential { get; set; }

    /// <summary>How it reaches the engine; null if only reports have come yet.</summary>
    public string? Transport { get; set; }

    /// <summary>Version of its program, or null.</summary>
    public string? Version { get; set; }

    /// <summary>Its machine, or null.</summary>
    public string? Host { get; set; }

    /// <summary>Number of tasks that it runs at a time, or null.</summary>
    public int? Slots { get; set; }

    /// <summary>See <see cref="WorkerContact.Instance"/>.</summary>
    public string? Instance { get; set; }

    /// <summary>The queues that it claims from, separated by spaces: <c>name</c> or <c>name:tier</c>.</summary>
    public string Queues { get; set; } = "";

    /// <summary>First contact since its last start, UTC.</summary>
    public DateTime StartedAt { get; set; }

    /// <summary>Last contact, UTC, to a few seconds.</summary>
    public DateTime LastSeenAt { get; set; }

    /// <summary>Whether it works.</summary>
    public WorkerState State { get; set; }

    /// <summary>Whether it was asked to finish its tasks and claim no more.</summary>
    public bool Draining { get; set; }

    /// <summary>Tasks whose lease expired in its hands, and that wait for another attempt.</summary>
    public int LostRetried { get; set; }

    /// <summary>Same, without an attempt left.</summary>
    public int LostFailed { get; set; }

    /// <summary>When the last of them was counted, UTC; null if none was since its start.</summary>
    public DateTime? LostAt { get; set; }
}
