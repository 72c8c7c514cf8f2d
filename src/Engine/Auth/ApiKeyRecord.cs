namespace TaskQueue.Engine.Auth;

/// <summary>A row of table <c>api_keys</c>: a key issued over the API. Only its hash is stored.</summary>
public sealed class ApiKeyRecord
{
    /// <summary>Identifies the key in <c>/keys/{id}</c>; reveals nothing about the key itself.</summary>
    public Guid Id { get; set; }

    /// <summary>Name of the caller that uses the key, 1 to 128 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>Owner of what is created with the key.</summary>
    public string Tenant { get; set; } = "";

    /// <summary>SHA-256 of the key, in hexadecimal.</summary>
    public string Hash { get; set; } = "";

    /// <summary>SHA-256 of the key before the last rotation, valid until <see cref="PreviousUntil"/>; null if there is none.</summary>
    public string? PreviousHash { get; set; }

    /// <summary>When the previous key stops working, UTC.</summary>
    public DateTime? PreviousUntil { get; set; }

    /// <summary>JSON array of scopes: see <see cref="Scopes"/>.</summary>
    public string ScopesText { get; set; } = "[]";

    /// <summary>JSON array of queue patterns; null is every queue.</summary>
    public string? QueuesText { get; set; }

    /// <summary>JSON of the <see cref="RequestRate"/>, or null.</summary>
    public string? RateText { get; set; }

    /// <summary>JSON of the tenant's quota, or null.</summary>
    public string? QuotaText { get; set; }

    /// <summary>When the key expires, UTC; null is never.</summary>
    public DateTime? ExpiresAt { get; set; }

    /// <summary>When it was issued, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>Name of the caller that issued the key.</summary>
    public string? CreatedBy { get; set; }

    /// <summary>When it was last used, UTC, to the minute; null is never.</summary>
    public DateTime? LastUsedAt { get; set; }

    /// <summary>When the key was revoked, UTC; null while it is valid.</summary>
    public DateTime? RevokedAt { get; set; }
}
