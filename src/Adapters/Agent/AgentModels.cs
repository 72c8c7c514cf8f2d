using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.Agent;

/// <summary>POST /agent/process-async, for the OpenAPI document: <see cref="AgentRequest"/> reads it member by member.</summary>
/// <param name="Query">What to process; stored as it is.</param>
/// <param name="UserId">Who asks; default <c>api_user</c>.</param>
/// <param name="SessionId">In which session; default <c>session_</c> and the time in Unix seconds.</param>
/// <param name="Metadata">Anything that belongs to it; default empty.</param>
/// <param name="Context">Anything to process it with; default empty.</param>
public sealed record AgentBody(string Query, string? UserId, string? SessionId, JsonElement? Metadata, JsonElement? Context);

/// <summary>Answer of POST /agent/process-async.</summary>
public sealed record AgentQueued(string TaskId, string Status, string Message);

/// <summary>Answer of GET /agent/task-status/{id}: what is not known is null.</summary>
public sealed record AgentStatus(string TaskId, string Status, RawJson? Result, string? Error, double? ExecutionTime);

/// <summary>An error of the API; with 422 a list of <see cref="AgentProblem"/>, or an <see cref="AgentRefusal"/>.</summary>
public sealed record AgentError(string Detail);

/// <summary>What is wrong with a member of the body.</summary>
public sealed record AgentProblem(IReadOnlyList<string> Loc, string Msg, string Type);

/// <summary>A 422 with all that is wrong with the body.</summary>
public sealed record AgentProblems(IReadOnlyList<AgentProblem> Detail);

/// <summary>A rule that a well-formed request breaks.</summary>
public sealed record AgentRefusal(string Error, string Message, IReadOnlyList<string> Warnings);

/// <summary>A 422 of such a request.</summary>
public sealed record AgentRefused(AgentRefusal Detail);

/// <summary>Source-generated JSON of the API.</summary>
[JsonSerializable(typeof(AgentQueued))]
[JsonSerializable(typeof(AgentStatus))]
[JsonSerializable(typeof(AgentError))]
[JsonSerializable(typeof(AgentProblems))]
[JsonSerializable(typeof(AgentRefused))]
internal sealed partial class AgentJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static AgentJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Renders tasks in the words of the API.</summary>
internal static class AgentMapping
{
    private const string Prefix = "async_task_";

    /// <summary>The words for the states. An expired task is not known any more, so it has none.</summary>
    private static readonly Dictionary<int, string> Statuses = new()
    {
        [TaskStates.Pending] = "pending",
        [TaskStates.Running] = "processing",
        [TaskStates.Completed] = "completed",
        [TaskStates.Failed] = "failed",
        [TaskStates.Retrying] = "retrying",
        [TaskStates.Cancelled] = "cancelled",
    };

    /// <summary>The id as the API shows it.</summary>
    public static string ToId(Guid id) => $"{Prefix}{id:N}";

    /// <summary>The task of an id of this API, or of a plain UUID, for tasks of the other APIs; null where it is neither.</summary>
    public static Guid? ParseId(string id)
    {
        var own = id.StartsWith(Prefix, StringComparison.Ordinal);
        return Guid.TryParseExact(own ? id[Prefix.Length..] : id, "N", out var plain) ? plain
            : Guid.TryParseExact(own ? id[Prefix.Length..] : id, "D", out var dashed) ? dashed : null;
    }

    /// <param name="task">The task.</param>
    /// <param name="id">Its id as the caller knows it.</param>
    /// <param name="now">A task that waits is not known from its expiry on, also where nobody has noticed yet.</param>
    /// <param name="redactor">What hides values from the caller.</param>
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

    /// <summary>Of the last attempt; the clocks of who started and who ended it may differ.</summary>
    private static double? Seconds(TaskState task) =>
        task is { StartedAt: { } start, FinishedAt: { } end } ? Math.Max(0, (end - start).TotalSeconds) : null;
}
