using System.Security.Cryptography;
using System.Text;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>The header by which a request that is sent again creates nothing more.</summary>
internal static class IdempotencyKeys
{
    public const string Header = "Idempotency-Key";

    private const int MaxLength = 255;

    /// <summary>
    /// Identifies a request of a tenant to a route; null if it has no key. Two tenants with the same key have nothing in common.
    /// </summary>
    /// <exception cref="ApiException">400: the key is too long.</exception>
    public static string? IdempotencyKey(this HttpContext context)
    {
        if (context.Request.Headers[Header].FirstOrDefault() is not { Length: > 0 } key)
            return null;
        if (key.Length > MaxLength)
            throw new ApiException(400, "invalid_request", $"{Header} must have at most {MaxLength} characters");
        var request = $"{context.Caller().Tenant}\n{context.Request.Path}\n{key}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(request)));
    }
}
