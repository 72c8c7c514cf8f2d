using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Bulk;

/// <summary>POST /operations.</summary>
/// <param name="Action"><c>retry</c>, <c>cancel</c>, <c>delete</c>, <c>move</c> or <c>edit</c>.</param>
/// <param name="Selection">The tasks.</param>
/// <param name="TargetQueue">With <c>move</c>: name of the queue to which the tasks move.</param>
/// <param name="Patch">With <c>edit</c>: JSON patch (RFC 6902) of the payload, 1 to 100 operations.</param>
/// <param name="DryRun">Whether to count the tasks only.</param>
/// <param name="RatePerSecond">Most tasks a second, 0.001 to 10,000; null is as fast as possible.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record BulkOperationBody(
    string? Action, BulkSelectionBody? Selection, string? TargetQueue, JsonElement? Patch, bool? DryRun, double? RatePerSecond);

/// <summary>The tasks of an operation: either ids or a search.</summary>
/// <param name="Ids">1 to 1,000 ids of tasks.</param>
/// <param name="Search">Filters of GET /tasks, each with a text or, where it may be repeated, a list of texts.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record BulkSelectionBody(IReadOnlyList<string>? Ids, IReadOnlyDictionary<string, JsonElement>? Search);

/// <summary>Number of selected tasks.</summary>
/// <param name="Count">The number when the operation was created.</param>
/// <param name="Exact">Whether they were counted, which they are up to 1,000; else it is an estimate.</param>
internal sealed record BulkTotal(long Count, bool Exact);

/// <summary>An operation on many tasks.</summary>
/// <param name="Id">Id of the operation.</param>
/// <param name="Action">What it does.</param>
/// <param name="State">planned, running, paused, completed, cancelled, undoing or undone.</param>
/// <param name="Total">Number of tasks.</param>
/// <param name="Done">Tasks that it has changed.</param>
/// <param name="Skipped">Tasks that were in no state for the action, or gone.</param>
/// <param name="Failed">Tasks that could not be changed.</param>
/// <param name="Undone">Tasks that were put back.</param>
/// <param name="Error">Why a task could not be changed last.</param>
/// <param name="CanUndo">Whether what it has changed can be put back.</param>
/// <param name="Queue">The only queue whose tasks it changes; null if it is not known.</param>
/// <param name="TargetQueue">The queue to which it moves tasks.</param>
/// <param name="RatePerSecond">Most tasks a second.</param>
/// <param name="Owner">Tenant of its creator.</param>
/// <param name="CreatedBy">Name of its creator.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="FinishedAt">When it ended.</param>
/// <param name="Selection">The tasks; null in lists, and for callers without the scope read.</param>
/// <param name="Patch">What it changes of payloads; null in lists, without the scope read, and where values are hidden.</param>
internal sealed record BulkOperationDetails(
    Guid Id, string Action, string State, BulkTotal Total, long Done, long Skipped, long Failed, long Undone, string? Error, bool CanUndo,
    string? Queue, string? TargetQueue, double? RatePerSecond, string? Owner, string? CreatedBy, DateTime CreatedAt, DateTime? StartedAt,
    DateTime? FinishedAt, BulkSelectionBody? Selection, RawJson? Patch);

/// <summary>GET /operations.</summary>
internal sealed record BulkOperationList(IReadOnlyList<BulkOperationDetails> Operations, string? NextCursor);

/// <summary>POST /operations with dry_run: the tasks that the action would change now.</summary>
/// <param name="Count">Their number.</param>
/// <param name="Exact">Whether they were counted; else it is an estimate.</param>
/// <param name="SampleIds">Up to 10 of them.</param>
internal sealed record BulkOperationPreview(long Count, bool Exact, IReadOnlyList<Guid> SampleIds);

/// <summary>State of an operation, for the audit.</summary>
internal sealed record BulkOperationChange(string State);

/// <summary>An operation without its patch, for the audit.</summary>
internal sealed record BulkOperationCreated(string Action, BulkSelectionBody Selection, string? TargetQueue, double? RatePerSecond);

[JsonSerializable(typeof(BulkOperationBody))]
[JsonSerializable(typeof(BulkOperationDetails))]
[JsonSerializable(typeof(BulkOperationList))]
[JsonSerializable(typeof(BulkOperationPreview))]
[JsonSerializable(typeof(BulkOperationChange))]
[JsonSerializable(typeof(BulkOperationCreated))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class BulkOperationJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static BulkOperationJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Maps operations to the API's format.</summary>
internal static class BulkMapping
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'";

    public static BulkOperationDetails ToItem(BulkOperation o) =>
        new(o.Id, Word(o.Action), Word(o.State), new BulkTotal(o.Total, o.TotalIsExact), o.Done, o.Skipped, o.Failed, o.Undone, o.Error,
            o.CanUndo, o.Queue.Length == 0 ? null : o.Queue, o.TargetQueue, o.Rate, o.Owner, o.CreatedBy, o.CreatedAt, o.StartedAt,
            o.FinishedAt, null, null);

    public static BulkOperationDetails ToDetails(BulkOperation o, Redactor redactor) =>
        ToItem(o) with
        {
            Selection = ToBody(BulkSelection.FromText(o.Selection)),
            Patch = o.Patch is { } patch && !redactor.IsOn ? new RawJson(patch) : null,
        };

    public static BulkOperationCreated ToAudit(BulkOperation o) =>
        new(Word(o.Action), ToBody(BulkSelection.FromText(o.Selection)), o.TargetQueue, o.Rate);

    public static string Word(BulkAction action) => action.ToString().ToLowerInvariant();

    public static string Word(BulkState state) => state.ToString().ToLowerInvariant();

    private static BulkSelectionBody ToBody(BulkSelection selection) =>
        selection.Search is { } search
            ? new BulkSelectionBody(null, Filters(search).ToDictionary(f => f.Name, f => f.Value, StringComparer.Ordinal))
            : new BulkSelectionBody([.. selection.Ids!.Select(id => id.ToString())], null);

    private static IEnumerable<(string Name, JsonElement Value)> Filters(TaskSearch search)
    {
        (string Name, string? Value)[] single =
        [
            ("id", search.Id?.ToString()), ("queue", search.Queue), ("name", search.Name), ("ordering_key", search.OrderingKey),
            ("worker", search.Worker), ("batch", search.BatchId?.ToString()), ("schedule", search.Schedule), ("owner", search.Owner),
            ("error", search.Error), ("created_from", Text(search.CreatedFrom)), ("created_to", Text(search.CreatedTo)),
            ("finished_from", Text(search.FinishedFrom)), ("finished_to", Text(search.FinishedTo)),
        ];
        foreach (var (name, value) in single)
        {
            if (value is not null)
                yield return (name, JsonSerializer.SerializeToElement(value, BulkOperationJson.Instance.String));
        }

        if (search.States.Count > 0)
        {
            yield return (
                "state", Texts(search.States.Select(s => s == TaskSearch.Scheduled ? TaskSearch.ScheduledWord : TaskStates.Word(s))));
        }

        if (search.Tags.Count > 0)
            yield return ("tag", Texts(search.Tags));
    }

    private static JsonElement Texts(IEnumerable<string> texts) =>
        JsonSerializer.SerializeToElement([.. texts], BulkOperationJson.Instance.StringArray);

    private static string? Text(DateTime? time) => time?.ToString(TimeFormat, CultureInfo.InvariantCulture);
}
