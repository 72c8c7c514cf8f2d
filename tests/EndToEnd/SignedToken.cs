using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Creates tokens that libraries refuse to create.</summary>
internal static class SignedToken
{
    public const string Header = """{"alg":"HS256","typ":"JWT"}""";

    /// <summary>A valid payload, followed by more members.</summary>
    public static string Payload(string more = "", string sub = "\"jo\"", string aud = "\"tasks\"", string? exp = null) =>
        $$"""{"sub":{{sub}},"aud":{{aud}},"scope":"read","exp":{{exp ?? $"{Now + 600}"}}{{(more.Length > 0 ? "," : "")}}{{more}}}""";

    public static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Signed with HS256, whatever the header says.</summary>
    public static string Of(string header, string payload, string secret = AuthServer.Secret) =>
        Of(header, Encoding.UTF8.GetBytes(payload), secret);

    public static string Of(string header, byte[] payload, string secret = AuthServer.Secret)
    {
        var signed = Unsigned(header, payload);
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(signed)))}";
    }

    public static string Of(string header, string payload, RSA key)
    {
        var signed = Unsigned(header, Encoding.UTF8.GetBytes(payload));
        var signature = key.SignData(Encoding.UTF8.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    public static string Unsigned(string header, byte[] payload) =>
        $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(payload)}";
}
