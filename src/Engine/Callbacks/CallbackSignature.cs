using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Signs as Standard Webhooks specifies, which receivers have libraries for: HMAC-SHA256 over <c>id.timestamp.body</c>.</summary>
public static class CallbackSignature
{
    /// <summary>The value of <c>webhook-signature</c>: one signature a key, with spaces between.</summary>
    public static string Of(string id, DateTimeOffset at, string body, IEnumerable<byte[]> keys)
    {
        var signed = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{at.ToUnixTimeSeconds()}.{body}"));
        return string.Join(' ', keys.Select(key => "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed))));
    }
}
