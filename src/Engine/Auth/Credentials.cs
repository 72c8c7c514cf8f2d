using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Auth;

/// <summary>
/// Names what holds a lease, in at most 128 characters. The separator cannot be in the name of a caller, a tenant or a user, so no name
/// that somebody chooses looks like the credential of another.
/// </summary>
public static class Credentials
{
    private const char Separator = '\u001f';

    /// <summary>Of an issued key; several may have one name.</summary>
    public static string OfKey(Guid id) => $"{Separator}key{Separator}{id:N}";

    /// <summary>Of a configured key or a token.</summary>
    public static string OfCaller(string name, string? tenant) =>
        tenant is null || tenant == name ? name : Fit($"{tenant}{Separator}{name}");

    /// <summary>Of a user of the broker.</summary>
    public static string OfBusUser(string user) => $"{Separator}bus{Separator}{user}";

    private static string Fit(string credential) =>
        credential.Length <= CallerNames.MaxLength ? credential
            : $"{Separator}sha256{Separator}{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(credential)))}";
}
