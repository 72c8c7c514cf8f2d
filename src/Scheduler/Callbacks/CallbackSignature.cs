using StandardWebhooks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>Signs according to Standard Webhooks, which has client libraries: HMAC-SHA256 over <c>id.timestamp.body</c>.</summary>
public static class CallbackSignature
{
    /// <summary>Value of <c>webhook-signature</c>: one signature per key, separated by spaces.</summary>
    public static string Of(string id, DateTimeOffset at, string body, IEnumerable<byte[]> keys) =>
        string.Join(' ', keys.Select(key => new StandardWebhook(key).Sign(id, at, body)));
}
