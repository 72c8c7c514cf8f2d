namespace TaskQueue.Engine.Audit;

/// <summary>Which records are wanted; null is any.</summary>
public sealed record AuditFilter
{
    /// <summary>Name of the caller.</summary>
    public string? Actor { get; init; }

    /// <summary>Tenant of the caller.</summary>
    public string? Tenant { get; init; }

    /// <summary>Beginning of the action, such as <c>queue.</c>.</summary>
    public string? Action { get; init; }

    /// <summary>The target.</summary>
    public string? Target { get; init; }

    /// <summary>Beginning of the result, such as <c>refused</c>.</summary>
    public string? Result { get; init; }

    /// <summary>Address of the caller.</summary>
    public string? Address { get; init; }

    /// <summary>Not earlier, UTC.</summary>
    public DateTime? From { get; init; }

    /// <summary>Earlier, UTC.</summary>
    public DateTime? To { get; init; }
}
