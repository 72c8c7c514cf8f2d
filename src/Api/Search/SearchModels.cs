using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Search;

/// <summary>A page of a search, newest first. There may be a next page although this one has fewer tasks than asked for, or none.</summary>
/// <param name="Tasks">The tasks, without payload and result.</param>
/// <param name="NextCursor">The <c>cursor</c> of the next page; null at the end.</param>
/// <param name="Total">How many tasks the search finds, as of its first page.</param>
internal sealed record TasksFound(IReadOnlyList<TaskFound> Tasks, string? NextCursor, TasksTotal Total);

/// <summary>A task that a search has found.</summary>
internal sealed record TaskFound(
    Guid Id, string Queue, int Tier, string? Name, string Priority, string State, int Attempt, int MaxAttempts, IReadOnlyList<string> Tags,
    string? OrderingKey, string? Worker, string? Owner, string? BatchId, string? Schedule, string? Error, RawJson? Progress,
    DateTime CreatedAt, DateTime DueAt, DateTime? StartedAt, DateTime? FinishedAt);

/// <param name="Count">A number of tasks.</param>
/// <param name="Exact">Whether they were counted, which they are up to 1,000; else it is an estimate.</param>
internal sealed record TasksTotal(long Count, bool Exact);

[JsonSerializable(typeof(TasksFound))]
internal sealed partial class SearchJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static SearchJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Maps found tasks to the API's format.</summary>
internal static class SearchMapping
{
    public static TasksFound ToPage(TaskSearchPage page, Redactor redactor) =>
        new([.. page.Tasks.Select(found => ToFound(found, redactor))], page.Next?.ToString(),
            new TasksTotal(page.Total.Count, page.Total.Exact));

    /// <summary>A task as all lists show it, but for that of the original API.</summary>
    public static TaskFound ToFound(FoundTask found, Redactor redactor)
    {
        var t = found.Task;
        return new TaskFound(
            t.CorrelationId, t.Queue, t.Tier, t.Name, t.Priority.ToString().ToLowerInvariant(), TaskStates.Word(t.State), t.Attempt,
            t.MaxAttempts, TaskTags.Split(t.Tags), TenantKey.Show(t.OrderingKey), t.Worker, t.Owner,
            t.BatchId is { } batch ? BatchId.Format(batch) : null, found.Schedule, redactor.Error(t.Error, t.Payload),
            t.Progress is { } progress ? new RawJson(redactor.Json(progress)) : null, t.CreatedAt, t.DueAt, t.StartedAt, t.FinishedAt);
    }
}
