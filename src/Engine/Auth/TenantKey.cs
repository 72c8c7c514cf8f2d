namespace TaskQueue.Engine.Auth;

/// <summary>
/// Dedupe keys and ordering keys as they are stored: behind the tenant that they belong to, so that no statement can forget
/// whose they are. A key of nobody is stored as it is; tenants and keys have no control characters.
/// </summary>
public static class TenantKey
{
    private const char Separator = '\u001f';

    /// <summary>A key as it is stored.</summary>
    public static string? Of(string? tenant, string? key) => key is null || tenant is null ? key : $"{tenant}{Separator}{key}";

    /// <summary>A stored key as its tenant knows it.</summary>
    public static string? Show(string? stored) =>
        stored is null ? null : stored[(stored.IndexOf(Separator, StringComparison.Ordinal) + 1)..];
}
