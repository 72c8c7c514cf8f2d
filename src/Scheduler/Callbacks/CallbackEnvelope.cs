using System.Globalization;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>
/// Identifies the subject of a message to a receiver. Its id is part of the signed text, so a message for one owner, task or event
/// cannot be replayed for another.
/// </summary>
/// <param name="Event">Event type, such as <c>task.completed</c>.</param>
/// <param name="Owner">Owner of the task or batch; null: none.</param>
/// <param name="Subject">Id of the task or batch as known to its submitter; without '/' and '.'.</param>
public sealed record CallbackEnvelope(string Event, string? Owner, string Subject)
{
    /// <summary>A task completed.</summary>
    public const string TaskCompleted = "task.completed";

    /// <summary>Challenge that asks a receiver to confirm that it wants callbacks.</summary>
    public const string Verification = "endpoint.verification";

    /// <summary>
    /// Value of <c>webhook-id</c>: event, owner and subject separated by '/', the same for every try. Only the event contains a dot, so
    /// the dots around the timestamp that follows in the signed text are unambiguous.
    /// </summary>
    public string Id => $"{Event}/{EncodedOwner}/{Subject}";

    /// <summary>The owner, percent-encoded; empty: none.</summary>
    public string EncodedOwner => Uri.EscapeDataString(Owner ?? "").Replace(".", "%2E", StringComparison.Ordinal);

    /// <summary>The headers of a message sent at a given time.</summary>
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
