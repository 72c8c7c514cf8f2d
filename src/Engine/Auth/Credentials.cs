using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Auth;

/// <summary>
/// Identifies the holder of a lease, in at most 128 characters. The separator cannot occur in the name of a caller, tenant or user, so no
/// chosen name can imitate another credential.
/// </summary>
public static class Credentials
{
    private const char Separator = '\u001f';

    /// <summary>Credential of an issued key; several keys may share a name.</summary>
    public static string OfKey(Guid id) => $"{Separator}key{Separator}{id:N}";

    /// <summary>Credential of a configured key or a token.</summary>
    public static string OfCaller(string name, string? tenant) =>
        tenant is null || tenant == name ? name : Fit($"{tenant}{Separator}{name}");

    /// <summary>Credential of a broker user.</summary>
    public static string OfBusUser(string user) => $"{Separator}bus{Separator}{user}";

    private static string Fit(string credential) =>
        credential.Length <= CallerNames.MaxLength ? credential
            : $"{Separator}sha256{Separator}{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(credential)))}";
}
