using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Api.Http;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Tasks;

/// <summary>POST /tasks, for the OpenAPI document: <see cref="TaskRequest"/> reads it member by member.</summary>
/// <param name="Action">Which handler runs the task; anything but null and false.</param>
/// <param name="Data">Anything.</param>
/// <param name="Queue"><c>name</c> or <c>name:level</c>; default the queue of the built-in actions.</param>
/// <param name="Priority">low, normal, high or critical; default normal.</param>
/// <param name="ScheduledAt">Not run earlier.</param>
/// <param name="ExpiresAt">Not started at or after this time.</param>
/// <param name="MaxAttempts">1 to 100; default 4.</param>
internal sealed record TaskBody(
    JsonElement Action, JsonElement? Data, string? Queue, string? Priority, DateTimeOffset? ScheduledAt, DateTimeOffset? ExpiresAt, int? MaxAttempts);

/// <summary>POST /tasks/bulk, for the OpenAPI document.</summary>
/// <param name="Tasks">1 to 1,000.</param>
internal sealed record TasksBody(IReadOnlyList<TaskBody> Tasks);

/// <summary>Answer of POST /tasks (dtq-and-wippy.md B1).</summary>
internal sealed record TaskQueued(Guid Id, string Status);

/// <summary>Answer of GET /tasks (dtq-and-wippy.md B2).</summary>
internal sealed record TaskList(IReadOnlyList<TaskRow> Tasks, int Count);

/// <summary>One row of GET /tasks: payload and result are JSON text inside strings, times are Unix seconds.</summary>
internal sealed record TaskRow(Guid Id, string Payload, string Status, string? Result, long CreatedAt, long? ProcessedAt);

/// <summary>Answer of POST /tasks/bulk: ids in the order of the request.</summary>
internal sealed record TasksQueued(IReadOnlyList<Guid> Ids, int Count);

/// <summary>Answer of a cancel or a retry.</summary>
internal sealed record TaskChanged(Guid Id, string Status);

/// <summary>An error of the seed's two routes.</summary>
internal sealed record TaskError(string Error);

/// <summary>GET /tasks/{id}: everything about one task.</summary>
internal sealed record TaskDetails(
    Guid Id, string Queue, int Level, string? Name, string Priority, string Status, int Attempt, int MaxAttempts,
    RawJson Payload, RawJson? Result, string? Error, string? Worker,
    DateTime CreatedAt, DateTime DueAt, DateTime? ExpiresAt, DateTime? StartedAt, DateTime? LeaseUntil, DateTime? FinishedAt,
    IReadOnlyList<TaskStepDetails> Timeline);

/// <summary>A step in the timeline of a task.</summary>
internal sealed record TaskStepDetails(string Event, int Attempt, DateTime At, DateTime? DueAt, string? Worker, string? Error);

/// <summary>Source-generated JSON of the door.</summary>
[JsonSerializable(typeof(TaskQueued))]
[JsonSerializable(typeof(TaskList))]
[JsonSerializable(typeof(TasksQueued))]
[JsonSerializable(typeof(TaskChanged))]
[JsonSerializable(typeof(TaskError))]
[JsonSerializable(typeof(TaskDetails))]
internal sealed partial class TaskJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static TaskJson Shapes { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Renders tasks.</summary>
internal static class TaskMapping
{
    public static TaskRow ToRow(TaskState t) =>
        new(t.CorrelationId, t.Payload, TaskStates.Word(t.State), t.Result, Seconds(t.CreatedAt), t.FinishedAt is { } end ? Seconds(end) : null);

    public static TaskDetails ToDetails(TaskState t, IEnumerable<TaskEvent> timeline) =>
        new(t.CorrelationId, t.Queue, t.Level, t.Name, Word(t.Priority), TaskStates.Word(t.State), t.Attempt, t.MaxAttempts,
            new RawJson(t.Payload), t.Result is { } result ? new RawJson(result) : null, t.Error, t.Worker,
            t.CreatedAt, t.DueAt, t.ExpiresAt, t.StartedAt, t.LeaseUntil, t.FinishedAt,
            [.. timeline.Select(e => new TaskStepDetails(e.Type.ToString().ToLowerInvariant(), e.Attempt, e.At, e.DueAt, e.Worker, e.Error))]);

    public static string Word(Priority priority) => priority.ToString().ToLowerInvariant();

    private static long Seconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeSeconds();
}
