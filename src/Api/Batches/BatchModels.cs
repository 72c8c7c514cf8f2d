using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Batches;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Batches;

/// <summary>A batch of any API.</summary>
/// <param name="Id">Its id, as in every API.</param>
/// <param name="Queue">Queue of its tasks.</param>
/// <param name="Tier">Tier of its tasks.</param>
/// <param name="Endpoint">Endpoint that processes its items.</param>
/// <param name="State">validating, in_progress, cancelling, expiring, finalizing, completed, failed, expired or cancelled.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="Submitter">Name of the caller that created it.</param>
/// <param name="Total">Number of items; 0 until they are counted.</param>
/// <param name="Completed">Items with a result.</param>
/// <param name="Failed">Items with an error.</param>
/// <param name="Done">Items with either.</param>
/// <param name="CreatedAt">When it was accepted.</param>
/// <param name="DeadlineAt">When it expires.</param>
/// <param name="InProgressAt">When its input was found valid.</param>
/// <param name="FinishedAt">When it ended.</param>
/// <param name="InputFileId">File with its items.</param>
/// <param name="OutputFileId">File with its results.</param>
/// <param name="ErrorFileId">File with its errors.</param>
/// <param name="Metadata">Texts that its submitter noted.</param>
/// <param name="Model">The model that the first item names.</param>
/// <param name="Usage">Tokens used, as far as the answers tell; null until it has ended.</param>
/// <param name="RetryOf">The batch whose failed items it repeats.</param>
/// <param name="WaitingFor">What a running item waits for; null if none says so, and in lists.</param>
internal sealed record BatchDetails(
    string Id, string Queue, int Tier, string Endpoint, string State, string? Owner, string? Submitter, int Total, int Completed,
    int Failed, int Done, DateTime CreatedAt, DateTime DeadlineAt, DateTime? InProgressAt, DateTime? FinishedAt, string InputFileId,
    string? OutputFileId, string? ErrorFileId, IReadOnlyDictionary<string, string>? Metadata, string? Model, BatchUsage? Usage,
    string? RetryOf, BatchWait? WaitingFor);

/// <summary>What an item of a batch waits for.</summary>
/// <param name="Reason">Why its upstream takes no request now, or that it waits for its turn.</param>
/// <param name="Upstream">Endpoint of the upstream.</param>
/// <param name="Until">When the next request is due.</param>
internal sealed record BatchWait(string Reason, string? Upstream, DateTime? Until);

/// <summary>GET /batches: newest first; pass <c>next_cursor</c> as <c>cursor</c> for the following page.</summary>
internal sealed record BatchList(IReadOnlyList<BatchDetails> Batches, string? NextCursor);

[JsonSerializable(typeof(BatchDetails))]
[JsonSerializable(typeof(BatchList))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class BatchJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static BatchJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
