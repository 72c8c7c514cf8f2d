using System.Globalization;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>
/// What a message to a receiver is about. Its id is part of what is signed, so a message for one owner, task or event does not
/// pass for that of another.
/// </summary>
/// <param name="Event">Such as <c>task.completed</c>.</param>
/// <param name="Owner">Owner of the task or batch; null is nobody.</param>
/// <param name="Subject">The task or batch, as its submitter knows it; without '/' and '.'.</param>
public sealed record CallbackEnvelope(string Event, string? Owner, string Subject)
{
    /// <summary>Of a task that completed.</summary>
    public const string TaskCompleted = "task.completed";

    /// <summary>Asks a receiver whether it wants callbacks.</summary>
    public const string Verification = "endpoint.verification";

    /// <summary>
    /// Value of <c>webhook-id</c>: event, owner and subject with '/' between, the same for every try. Only the event has a dot, so
    /// the dots around the timestamp that follows in the signed text are found again.
    /// </summary>
    public string Id => $"{Event}/{EncodedOwner}/{Subject}";

    /// <summary>The owner, percent-encoded; empty is nobody.</summary>
    public string EncodedOwner => Uri.EscapeDataString(Owner ?? "").Replace(".", "%2E", StringComparison.Ordinal);

    /// <summary>The headers of a message that is sent now.</summary>
    public IEnumerable<(string Name, string Value)> Headers(string body, DateTimeOffset at, WebhookOptions options)
    {
        yield return ("webhook-id", Id);
        yield return ("webhook-timestamp", at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        if (options.SigningKeys.Count > 0)
            yield return ("webhook-signature", CallbackSignature.Of(Id, at, body, WebhookSecrets.Of(options, Owner)));
        yield return ("taskqueue-event", Event);
        yield return ("taskqueue-owner", EncodedOwner);
        if (Event != Verification)
            yield return ("taskqueue-task", Subject);
    }
}
