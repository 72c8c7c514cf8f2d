namespace TaskQueue.Engine.Audit;

/// <summary>A row of table <c>audit</c>: an administrative act, or an authentication or access that was refused.</summary>
public sealed class AuditRecord
{
    /// <summary>Number of the record; later records have greater ones.</summary>
    public long Id { get; set; }

    /// <summary>When it happened, UTC.</summary>
    public DateTime At { get; set; }

    /// <summary>Name of the caller; null is unknown.</summary>
    public string? Actor { get; set; }

    /// <summary>Tenant of the caller; null is unknown.</summary>
    public string? Tenant { get; set; }

    /// <summary>What was done, such as <c>queue.purge</c> or <c>auth.refused</c>.</summary>
    public string Action { get; set; } = "";

    /// <summary>What it was done to, such as <c>queue/mail</c>.</summary>
    public string? Target { get; set; }

    /// <summary>JSON of what it was before, or null.</summary>
    public string? Before { get; set; }

    /// <summary>JSON of what it is after, or null.</summary>
    public string? After { get; set; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; set; }

    /// <summary><c>done</c>, <c>refused</c> or <c>failed</c>, and why.</summary>
    public string Result { get; set; } = "";
}
