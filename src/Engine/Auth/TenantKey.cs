namespace TaskQueue.Engine.Auth;

/// <summary>
/// The stored form of dedupe keys and ordering keys: prefixed with their tenant, so that no statement can mix tenants. A key without a
/// tenant is stored unchanged; tenants and keys contain no control characters.
/// </summary>
public static class TenantKey
{
    private const char Separator = '\u001f';

    /// <summary>The stored form of a key.</summary>
    public static string? Of(string? tenant, string? key) => key is null || tenant is null ? key : $"{tenant}{Separator}{key}";

    /// <summary>The key as its tenant knows it.</summary>
    public static string? Show(string? stored) =>
        stored is null ? null : stored[(stored.IndexOf(Separator, StringComparison.Ordinal) + 1)..];
}
