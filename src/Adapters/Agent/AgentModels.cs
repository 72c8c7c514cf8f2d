using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.Agent;

/// <summary>POST /agent/process-async, for the OpenAPI document: <see cref="AgentRequest"/> reads it member by member.</summary>
/// <param name="Query">The query; stored unchanged.</param>
/// <param name="UserId">The user; default <c>api_user</c>.</param>
/// <param name="SessionId">The session; default <c>session_</c> followed by the time in Unix seconds.</param>
/// <param name="Metadata">Arbitrary metadata; default empty.</param>
/// <param name="Context">Arbitrary processing context; default empty.</param>
public sealed record AgentBody(string Query, string? UserId, string? SessionId, JsonElement? Metadata, JsonElement? Context);

/// <summary>Response of POST /agent/process-async.</summary>
public sealed record AgentQueued(string TaskId, string Status, string Message);

/// <summary>Response of GET /agent/task-status/{id}; unknown values are null.</summary>
public sealed record AgentStatus(string TaskId, string Status, RawJson? Result, string? Error, double? ExecutionTime);

/// <summary>An error of the API; with 422 a list of <see cref="AgentProblem"/>, or an <see cref="AgentRefusal"/>.</summary>
public sealed record AgentError(string Detail);

/// <summary>A problem with a member of the body.</summary>
public sealed record AgentProblem(IReadOnlyList<string> Loc, string Msg, string Type);

/// <summary>A 422 with all problems of the body.</summary>
public sealed record AgentProblems(IReadOnlyList<AgentProblem> Detail);

/// <summary>A rule violated by a well-formed request.</summary>
public sealed record AgentRefusal(string Error, string Message, IReadOnlyList<string> Warnings);

/// <summary>A 422 for such a request.</summary>
public sealed record AgentRefused(AgentRefusal Detail);

/// <summary>Source-generated JSON of the API.</summary>
[JsonSerializable(typeof(AgentQueued))]
[JsonSerializable(typeof(AgentStatus))]
[JsonSerializable(typeof(AgentError))]
[JsonSerializable(typeof(AgentProblems))]
[JsonSerializable(typeof(AgentRefused))]
internal sealed partial class AgentJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static AgentJson Instance { get; } =
        new(new JsonSerializerOptions(JsonStyle.Options) { AllowDuplicateProperties = true });
}

/// <summary>Maps tasks to the API's format.</summary>
internal static class AgentMapping
{
    private const string Prefix = "async_task_";

    /// <summary>Status by state. An expired task is unknown to this API and has none.</summary>
    private static readonly Dictionary<int, string> Statuses = new()
    {
        [TaskStates.Pending] = "pending",
        [TaskStates.Running] = "processing",
        [TaskStates.Completed] = "completed",
        [TaskStates.Failed] = "failed",
        [TaskStates.Retrying] = "retrying",
        [TaskStates.Cancelled] = "cancelled",
    };

    /// <summary>Formats an id for the API.</summary>
    public static string ToId(Guid id) => $"{Prefix}{id:N}";

    /// <summary>Parses an id of this API, or a plain UUID for tasks of the other APIs; null if it is neither.</summary>
    public static Guid? ParseId(string id)
    {
        var own = id.StartsWith(Prefix, StringComparison.Ordinal);
        return Guid.TryParseExact(own ? id[Prefix.Length..] : id, "N", out var plain) ? plain
            : Guid.TryParseExact(own ? id[Prefix.Length..] : id, "D", out var dashed) ? dashed : null;
    }

    /// <param name="task">The task.</param>
    /// <param name="id">The id the caller used.</param>
    /// <param name="now">A waiting task is unknown from its expiry time on, even if it has not been swept yet.</param>
    /// <param name="redactor">Hides values from the caller.</param>
    public static AgentStatus? ToStatus(TaskState task, string id, DateTime now, Redactor redactor)
    {
        var waits = task.State is TaskStates.Pending or TaskStates.Retrying;
        if (!Statuses.TryGetValue(task.State, out var status) || (waits && task.ExpiresAt <= now))
            return null;
        return new AgentStatus(
            id, status,
            task is { State: TaskStates.Completed, Result: { } result } ? new RawJson(redactor.Json(result)) : null,
            task.State == TaskStates.Failed ? redactor.Error(task.Error, task.Payload) : null,
            task.State is TaskStates.Completed or TaskStates.Failed ? Seconds(task) : null);
    }

    /// <summary>Duration of the last attempt; the clocks of the processes that started and ended it may differ.</summary>
    private static double? Seconds(TaskState task) =>
        task is { StartedAt: { } start, FinishedAt: { } end } ? Math.Max(0, (end - start).TotalSeconds) : null;
}
