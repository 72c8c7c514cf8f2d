namespace TaskQueue.Engine.Audit;

/// <summary>A row of table <c>audit</c>: an administrative action, or a refused authentication or access.</summary>
public sealed class AuditRecord
{
    /// <summary>Identifies the record; increases with each record.</summary>
    public long Id { get; set; }

    /// <summary>When the action happened, UTC.</summary>
    public DateTime At { get; set; }

    /// <summary>Name of the caller; null if unknown.</summary>
    public string? Actor { get; set; }

    /// <summary>Tenant of the caller; null if unknown.</summary>
    public string? Tenant { get; set; }

    /// <summary>The action, such as <c>queue.purge</c> or <c>auth.refused</c>.</summary>
    public string Action { get; set; } = "";

    /// <summary>Target of the action, such as <c>queue/mail</c>.</summary>
    public string? Target { get; set; }

    /// <summary>JSON of the state before the action, or null.</summary>
    public string? Before { get; set; }

    /// <summary>JSON of the state after the action, or null.</summary>
    public string? After { get; set; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; set; }

    /// <summary><c>done</c>, <c>refused</c> or <c>failed</c>, with the reason.</summary>
    public string Result { get; set; } = "";
}
