namespace TaskQueue.Engine.Audit;

/// <summary>Filter for audit records; a null property matches any value.</summary>
public sealed record AuditFilter
{
    /// <summary>Name of the caller.</summary>
    public string? Actor { get; init; }

    /// <summary>Tenant of the caller.</summary>
    public string? Tenant { get; init; }

    /// <summary>Prefix of the action, such as <c>queue.</c>.</summary>
    public string? Action { get; init; }

    /// <summary>Target of the action.</summary>
    public string? Target { get; init; }

    /// <summary>Prefix of the result, such as <c>refused</c>.</summary>
    public string? Result { get; init; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; init; }

    /// <summary>Inclusive lower bound of the time, UTC.</summary>
    public DateTime? From { get; init; }

    /// <summary>Exclusive upper bound of the time, UTC.</summary>
    public DateTime? To { get; init; }
}
