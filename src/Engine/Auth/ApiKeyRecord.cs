namespace TaskQueue.Engine.Auth;

/// <summary>A row of table <c>api_keys</c>: a key that was issued over the API. The key itself is not kept, only its hash.</summary>
public sealed class ApiKeyRecord
{
    /// <summary>Identifies the key in <c>/keys/{id}</c>; says nothing about the key itself.</summary>
    public Guid Id { get; set; }

    /// <summary>Who calls with it. 1 to 128 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>Owner of what is made with it.</summary>
    public string Tenant { get; set; } = "";

    /// <summary>SHA-256 of the key, in hexadecimal.</summary>
    public string Hash { get; set; } = "";

    /// <summary>SHA-256 of the key before the last rotation, valid until <see cref="PreviousUntil"/>; null is none.</summary>
    public string? PreviousHash { get; set; }

    /// <summary>When the previous key stops working, UTC.</summary>
    public DateTime? PreviousUntil { get; set; }

    /// <summary>Scopes, as a JSON array of text: see <see cref="Scopes"/>.</summary>
    public string ScopesText { get; set; } = "[]";

    /// <summary>Queue patterns, as a JSON array of text; null is every queue.</summary>
    public string? QueuesText { get; set; }

    /// <summary>JSON of the <see cref="RequestRate"/>, or null.</summary>
    public string? RateText { get; set; }

    /// <summary>JSON of the quota of its tenant, or null.</summary>
    public string? QuotaText { get; set; }

    /// <summary>Refused from then on, UTC; null is never.</summary>
    public DateTime? ExpiresAt { get; set; }

    /// <summary>When it was issued, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>Name of the caller that issued it.</summary>
    public string? CreatedBy { get; set; }

    /// <summary>When it was last used, UTC, to the minute; null is never.</summary>
    public DateTime? LastUsedAt { get; set; }

    /// <summary>When it was revoked, UTC; null is valid.</summary>
    public DateTime? RevokedAt { get; set; }
}
