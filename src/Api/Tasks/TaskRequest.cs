using System.Text.Json;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Tasks;

/// <summary>
/// Reads a task of POST /tasks and /tasks/bulk: the original API's <c>action</c> and <c>data</c>, and the additions <c>queue</c>
/// (<c>name</c> or <c>name:tier</c>), <c>priority</c>, <c>scheduled_at</c>, <c>expires_at</c>, <c>max_attempts</c>, <c>dedupe_key</c>,
/// <c>overwrite</c>, <c>ordering_key</c>, <c>lease_seconds</c>, <c>retry</c>, <c>callback_url</c>, <c>tags</c>, and
/// <c>id</c>, which makes retries of unanswered requests safe. See <see cref="TaskMembers"/> for other members.
/// </summary>
internal static class TaskRequest
{
    /// <param name="task">The body.</param>
    /// <param name="newId">Id if the body has none.</param>
    /// <param name="now">Creation time written into the message.</param>
    /// <param name="access">Access of the submitter.</param>
    /// <param name="isNative">Whether the route is not one of the original API.</param>
    /// <exception cref="ApiException">400, with the original API's text if the action is missing; 403.</exception>
    public static TaskSubmission Read(JsonElement task, Guid newId, DateTimeOffset now, Access access, bool isNative)
    {
        // As in Lua, only null and false count as missing: "" and 0 are valid actions.
        if (task.ValueKind != JsonValueKind.Object || !task.TryGetProperty("action", out var action) || IsFalse(action))
            throw new ApiException(400, "action_required", "action required");
        TaskMembers.Demand(task, isNative);
        var (id, target) = (Words(task, "id") is { } chosen ? ChosenId(chosen) : newId, Target(task));
        return Begin(id, target, access, action.ValueKind == JsonValueKind.String ? Text(action, "action") : null,
            TaskMessage.Of(id, target.Queue, action.GetRawText(),
                task.TryGetProperty("data", out var data) ? data.GetRawText() : null, now)) with
        {
            Priority = PriorityOf(task),
            ScheduledAt = Time(task, "scheduled_at"),
            ExpiresAt = Time(task, "expires_at"),
            MaxAttempts = Whole(task, "max_attempts"),
            DedupeKey = Words(task, "dedupe_key"),
            Overwrite = Overwrite(task),
            OrderingKey = Words(task, "ordering_key"),
            LeaseSeconds = Number(task, "lease_seconds"),
            CompletionActions = Words(task, "callback_url") is { } url ? new CompletionActions { CallbackUrl = url } : null,
            Tags = Member(task, "tags") is { } tags ? Tags(tags) : null,
            Retry = Member(task, "retry") is { } retry ? RetryBodies.Read(retry) : null,
        };
    }

    /// <summary>A submission without options.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static TaskSubmission Begin(Guid id, QueueTier target, Access access, string? name, string message) =>
        !access.Allows(target.Queue) ? throw Callers.NotForQueue(target.Queue) : new TaskSubmission(id, target.Queue, message)
        {
            Tier = target.Tier,
            Owner = access.Tenant,
            Name = name is { Length: <= MaxName } && TextRules.IsClean(name) ? name : null,
        };

    /// <exception cref="ApiException">400.</exception>
    public static Guid ChosenId(string text) =>
        Guid.TryParseExact(text, "D", out var id) && id != Guid.Empty ? id
            : throw Wrong("id must be a UUID such as 01a20000-0000-4000-8000-000000000001");

    private static bool IsFalse(JsonElement value) => value.ValueKind is JsonValueKind.Null or JsonValueKind.False;

    /// <summary>A queue and tier, as a text names it.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static QueueTier Target(string? queue) =>
        QueueNames.Parse(queue)
            ?? throw Wrong($"queue must be a name ({QueueNames.Rule}), or name:tier with a tier of 0 to {QueueNames.MaxTier}");

    private static QueueTier Target(JsonElement task) =>
        Member(task, "queue") is { } queue ? Target(queue.ValueKind == JsonValueKind.String ? Text(queue, "queue") : null)
            : new(BuiltInQueues.Tasks, 0);

    private static OverwriteFields Overwrite(JsonElement task)
    {
        if (Member(task, "overwrite") is not { } list)
            return OverwriteFields.None;
        if (list.ValueKind != JsonValueKind.Array)
            throw Wrong(OverwriteRule);
        return list.EnumerateArray().Aggregate(OverwriteFields.None, (all, field) =>
            all | (field.ValueKind == JsonValueKind.String ? Text(field, "overwrite") : null) switch
            {
                "payload" => OverwriteFields.Payload,
                "scheduled_at" => OverwriteFields.ScheduledAt,
                "expires_at" => OverwriteFields.ExpiresAt,
                _ => throw Wrong(OverwriteRule),
            });
    }

    private static List<string> Tags(JsonElement tags) =>
        tags.ValueKind != JsonValueKind.Array ? throw Wrong(TaskTags.Rule)
        : [.. tags.EnumerateArray().Select(tag => tag.ValueKind == JsonValueKind.String ? Text(tag, "tags") : throw Wrong(TaskTags.Rule))];

    /// <summary>A smaller number is meant as a delay, not as a time before the year 2002.</summary>
    private const double LeastUnixSeconds = 1e9;

    /// <summary>Longest name of a task.</summary>
    public const int MaxName = 256;

    public const string OverwriteRule = "overwrite must be a list of payload, scheduled_at and expires_at";

    private static string? Words(JsonElement task, string name) =>
        Member(task, name) is not { } value ? null : value.ValueKind == JsonValueKind.String ? Text(value, name)
            : throw Wrong($"{name} must be a text");

    private static double? Number(JsonElement task, string name) =>
        Member(task, name) is not { } value ? null : value.ValueKind == JsonValueKind.Number ? value.GetDouble()
            : throw Wrong($"{name} must be a number");

    private static Priority? PriorityOf(JsonElement task)
    {
        if (Member(task, "priority") is not { } value)
            return null;
        return TaskMapping.PriorityOf(value.ValueKind == JsonValueKind.String ? Text(value, "priority") : null)
            ?? throw Wrong(TaskMapping.PriorityRule);
    }

    private static DateTime? Time(JsonElement task, string name)
    {
        if (Member(task, name) is not { } value)
            return null;
        var isDelay = value.ValueKind == JsonValueKind.Number && value.GetDouble() < LeastUnixSeconds;
        return (isDelay ? null : PointInTime.Parse(value)) ?? throw Wrong($"{name} must be {PointInTime.Rule}");
    }

    private static int? Whole(JsonElement task, string name)
    {
        if (Member(task, name) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var whole) ? whole
            : throw Wrong($"{name} must be a whole number");
    }

    private static JsonElement? Member(JsonElement task, string name) =>
        task.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string Text(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong($"{name} holds half of a surrogate pair");
        }
    }

    public static ApiException Wrong(string message) => new(400, "invalid_task", message);
}
