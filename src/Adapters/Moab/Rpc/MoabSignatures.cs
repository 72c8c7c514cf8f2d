using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>
/// Callers that sign as Moab's clients do (moab.md 9): over a time, the name of the RPC and the message as it was sent, with an ECDSA key
/// on P-256 or with HMAC-SHA256.
/// </summary>
internal sealed class MoabSignatures(ApiKeyStore keys, TimeProvider time, IOptions<MoabOptions> options) : ISignedCallers
{
    private const string KeyId = "evrblk-api-key-id", Timestamp = "evrblk-timestamp", Signature = "evrblk-signature";

    private static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    /// <summary>A client takes the day of its own time zone.</summary>
    private static readonly int[] Days = [0, -1, 1];

    /// <inheritdoc />
    public bool Has(HttpContext context)
    {
        return context.Request.Headers.ContainsKey(Signature) && (IsOf(MoabGrpc.Preview) || IsOf(MoabGrpc.V0));

        bool IsOf(string service) => context.Request.Path.StartsWithSegments($"/{service}", StringComparison.Ordinal);
    }

    /// <inheritdoc />
    public async ValueTask<Caller?> FindAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        var (id, signature) = (headers[KeyId].ToString(), headers[Signature].ToString());
        if (keys.FindSigningKey(id) is not { } key
            || !long.TryParse(headers[Timestamp].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || Math.Abs((decimal)time.GetUtcNow().ToUnixTimeSeconds() - seconds) > (decimal)Window.TotalSeconds)
            return null;
        var message = await PeekAsync(context);
        return message is not null && IsValid(key, seconds, signature, RpcOf(context), message) ? key.Caller : null;
    }

    /// <summary>Checks a signature.</summary>
    /// <param name="key">The caller's key.</param>
    /// <param name="seconds">The time that was signed, Unix seconds.</param>
    /// <param name="signature">DER in base64 for a public key, hexadecimal for a secret.</param>
    /// <param name="rpc">Name of the RPC.</param>
    /// <param name="message">The message as it was serialized.</param>
    internal static bool IsValid(SigningKey key, long seconds, string signature, string rpc, byte[] message)
    {
        var name = Encoding.ASCII.GetBytes($"Moab.{rpc}");
        var signed = new byte[sizeof(long) + name.Length + message.Length];
        BinaryPrimitives.WriteInt64BigEndian(signed, seconds);
        name.CopyTo(signed, sizeof(long));
        message.CopyTo(signed, sizeof(long) + name.Length);
        return key.Secret is { } secret ? IsOfSecret(secret, seconds, signature, signed) : IsOfPublicKey(key.PublicKey, signature, signed);
    }

    private static bool IsOfSecret(byte[] secret, long seconds, string signature, byte[] signed)
    {
        if (signature.Length != 2 * HMACSHA256.HashSizeInBytes || !signature.All(char.IsAsciiHexDigit))
            return false;
        var sent = Convert.FromHexString(signature);
        var day = DateTimeOffset.FromUnixTimeSeconds(seconds);
        var isValid = false;
        foreach (var days in Days)
        {
            var date = Encoding.ASCII.GetBytes(day.AddDays(days).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            isValid |= CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(SHA256.HashData([.. date, .. secret]), signed), sent);
        }

        return isValid;
    }

    private static bool IsOfPublicKey(string? pem, string signature, byte[] signed)
    {
        var sent = new byte[signature.Length];
        if (!Convert.TryFromBase64String(signature, sent, out var length))
            return false;
        using var key = SigningKeys.PublicKey(pem);
        try
        {
            return key?.VerifyData(signed, sent.AsSpan(0, length), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) == true;
        }
        catch (CryptographicException)
        {
            return false; // not DER
        }
    }

    private async ValueTask<byte[]?> PeekAsync(HttpContext context)
    {
        try
        {
            return await GrpcMessage.PeekAsync(context, options.Value.MaxMessageBytes);
        }
        catch (Exception fault) when (fault is OverloadedException or BadHttpRequestException)
        {
            throw new ApiException(ApiErrors.ToFault(fault));
        }
    }

    private static string RpcOf(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        return path[(path.LastIndexOf('/') + 1)..];
    }
}
