using StandardWebhooks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>Signs as Standard Webhooks specifies, which receivers have libraries for: HMAC-SHA256 over <c>id.timestamp.body</c>.</summary>
public static class CallbackSignature
{
    /// <summary>The value of <c>webhook-signature</c>: one signature a key, with spaces between.</summary>
    public static string Of(string id, DateTimeOffset at, string body, IEnumerable<byte[]> keys) =>
        string.Join(' ', keys.Select(key => new StandardWebhook(key).Sign(id, at, body)));
}
