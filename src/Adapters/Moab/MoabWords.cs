using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>Status reported by a worker.</summary>
internal enum MoabStatus
{
    Succeeded,
    InProgress,
    Failed,
}

/// <summary>Moab's enum values: reads long and short spellings, writes one (moab.md 1).</summary>
internal static class MoabWords
{
    public const string Enqueued = "TASK_STATE_ENQUEUED", InProgress = "TASK_STATE_IN_PROGRESS", Dead = "TASK_STATE_DEAD";

    public const string Ok = "RESULT_OK", NotFound = "RESULT_NOT_FOUND", NotInProgress = "RESULT_NOT_IN_PROGRESS",
    StaleAttempt = "RESULT_STALE_ATTEMPT";

    public const string Restarted = "RESULT_RESTARTED", NotDead = "RESULT_NOT_DEAD", DedupeConflict = "RESULT_DEDUPE_CONFLICT";

    private static readonly Dictionary<string, MoabStatus> Statuses = new()
    {
        ["SUCCEEDED"] = MoabStatus.Succeeded,
        ["IN_PROGRESS"] = MoabStatus.InProgress,
        ["INFLIGHT"] = MoabStatus.InProgress,
        ["FAILED"] = MoabStatus.Failed,
    };

    private static readonly Dictionary<string, TaskList> Lists = new()
    {
        ["INVALID"] = TaskList.Live, // the enum's zero value: not set
        ["ENQUEUED"] = TaskList.Waiting,
        ["IN_PROGRESS"] = TaskList.Running,
        ["INFLIGHT"] = TaskList.Running,
        ["DEAD"] = TaskList.Dead,
    };

    private static readonly Dictionary<string, OverwriteFields> Fields = new()
    {
        ["PAYLOAD"] = OverwriteFields.Payload,
        ["SCHEDULED_AT"] = OverwriteFields.ScheduledAt,
        ["EXPIRES_AT"] = OverwriteFields.ExpiresAt,
    };

    private static readonly Dictionary<string, long> Units = new() { ["SECONDS"] = 1_000, ["MINUTES"] = 60_000, ["HOURS"] = 3_600_000 };

    /// <exception cref="ApiException">400: no such status.</exception>
    public static MoabStatus Status(string? word, string member) =>
        Read(Statuses, word, "STATUS_", member, "STATUS_SUCCEEDED, STATUS_IN_PROGRESS or STATUS_FAILED");

    /// <summary>The list for a state; all tasks if none is given.</summary>
    /// <exception cref="ApiException">400: no such state.</exception>
    public static TaskList List(string? word) =>
        string.IsNullOrEmpty(word) ? TaskList.Live : Read(Lists, word, "TASK_STATE_", "state", $"{Enqueued}, {InProgress} or {Dead}");

    /// <exception cref="ApiException">400: no such field.</exception>
    public static OverwriteFields Overwrite(IReadOnlyList<string?>? words, string member) =>
        (words ?? []).Aggregate(
            OverwriteFields.None, (fields, word) =>
                fields | Read(Fields, word, "OVERWRITE_ON_DUPLICATE_", member, "PAYLOAD, SCHEDULED_AT or EXPIRES_AT"));

    /// <summary>The written spelling of a unit, and its milliseconds.</summary>
    /// <exception cref="ApiException">400: unknown or missing unit.</exception>
    public static (string Word, long Ms) Unit(string? word, string member)
    {
        var ms = Read(Units, word, "INTERVAL_UNIT_", member, "SECONDS, MINUTES or HOURS");
        return (Units.First(u => u.Value == ms).Key, ms);
    }

    private static T Read<T>(Dictionary<string, T> words, string? word, string prefix, string member, string allowed)
    {
        var name = word is not null && word.StartsWith(prefix, StringComparison.Ordinal) ? word[prefix.Length..] : word;
        return name is not null && words.TryGetValue(name, out var value) ? value : throw MoabFields.Wrong($"{member} must be {allowed}");
    }
}
