using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Quarantine;

/// <summary>An item that cannot be processed and was set aside.</summary>
/// <param name="Id">Number of the item.</param>
/// <param name="Kind">lease, dispatch, expiry (of a task), event, callback, batch, batch_item, schedule or message.</param>
/// <param name="Subject">Identifies the item within its kind: the id of a task, a batch or a callback, the number of a schedule, or the
/// stream and number of an event.</param>
/// <param name="Queue">Its queue, if any.</param>
/// <param name="Owner">Its owner, if any.</param>
/// <param name="Reason">Why it cannot be processed.</param>
/// <param name="At">When it was last set aside.</param>
/// <param name="Count">How often it was set aside.</param>
internal sealed record QuarantineItem(long Id, string Kind, string Subject, string? Queue, string? Owner, string Reason, DateTime At,
    int Count);

/// <summary>GET /quarantine: pass <c>next</c> as <c>after</c> for the following page; null at the end.</summary>
internal sealed record QuarantineList(IReadOnlyList<QuarantineItem> Items, long? Next);

/// <summary>Response of POST /quarantine/{id}/release.</summary>
internal sealed record QuarantineReleased(long Id, string Kind, string Subject, string Status);

[JsonSerializable(typeof(QuarantineList))]
[JsonSerializable(typeof(QuarantineReleased))]
internal sealed partial class QuarantineJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static QuarantineJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
