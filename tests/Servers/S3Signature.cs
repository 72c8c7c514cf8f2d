using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace TaskQueue.Tests.Servers;

/// <summary>Verifies signatures of version 4 in the header Authorization, from Amazon's description of them.</summary>
internal static class S3Signature
{
    private const string Algorithm = "AWS4-HMAC-SHA256", Unreadable = "AuthorizationHeaderMalformed";

    /// <summary>Status and code of what is wrong; status 0 if nothing is.</summary>
    public static (int Status, string Code) Problem(HttpContext context, byte[] body)
    {
        var headers = context.Request.Headers;
        var given = headers.Authorization.ToString();
        if (!given.StartsWith(Algorithm + " ", StringComparison.Ordinal))
            return (403, "AccessDenied");
        var fields = given[(Algorithm.Length + 1)..].Split(',', StringSplitOptions.TrimEntries).Select(f => f.Split('=', 2))
            .ToDictionary(f => f[0], f => f[1], StringComparer.Ordinal);
        if (fields["Credential"].Split('/') is not [var key, var day, var region, "s3", "aws4_request"])
            return (400, Unreadable);
        if (key != TestS3.AccessKey)
            return (403, "InvalidAccessKeyId");
        if (region != TestS3.Region)
            return (400, Unreadable);
        var hash = headers["x-amz-content-sha256"].ToString();
        if (hash.StartsWith("STREAMING", StringComparison.Ordinal) || headers.ContainsKey("x-amz-trailer")
            || headers.Keys.Any(h => h.StartsWith("x-amz-checksum-", StringComparison.OrdinalIgnoreCase)))
            return (501, "NotImplemented");
        if (hash != Convert.ToHexStringLower(SHA256.HashData(body)))
            return (400, "XAmzContentSHA256Mismatch");
        var signed = fields["SignedHeaders"].Split(';');
        if (!signed.Contains("host", StringComparer.Ordinal) || !signed.Contains("x-amz-date", StringComparer.Ordinal)
            || !signed.Contains("x-amz-content-sha256", StringComparer.Ordinal))
            return (403, "AccessDenied");
        var date = headers["x-amz-date"].ToString();
        var request = string.Join('\n', [context.Request.Method, .. Target(context),
            .. signed.Select(h => $"{h}:{headers[h].ToString().Trim()}"), "", fields["SignedHeaders"], hash]);
        var text = string.Join('\n', Algorithm, date, $"{day}/{region}/s3/aws4_request",
            Hex(SHA256.HashData(Encoding.UTF8.GetBytes(request))));
        var secret = Encoding.UTF8.GetBytes($"AWS4{TestS3.SecretKey}");
        foreach (var step in new[] { day, region, "s3", "aws4_request" })
            secret = HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(step));
        return date.StartsWith(day, StringComparison.Ordinal)
            && Hex(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(text))) == fields["Signature"]
            ? (0, "") : (403, "SignatureDoesNotMatch");
    }

    /// <summary>The path as it was sent, and the query in order.</summary>
    private static string[] Target(HttpContext context)
    {
        var parts = context.Features.Get<IHttpRequestFeature>()!.RawTarget.Split('?', 2);
        var query = parts.Length < 2 ? [] : parts[1].Split('&').Select(p => p.Split('=', 2))
            .Select(p => (Name: Uri.UnescapeDataString(p[0]), Value: p.Length < 2 ? "" : Uri.UnescapeDataString(p[1])))
            .OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Value, StringComparer.Ordinal)
            .Select(p => $"{Uri.EscapeDataString(p.Name)}={Uri.EscapeDataString(p.Value)}");
        return [parts[0], string.Join('&', query)];
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
