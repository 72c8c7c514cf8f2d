using System.Collections.Frozen;
using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Tasks;

/// <summary>
/// The members of a task in a request. Others are refused: a misspelled option would silently have no effect. A body of the original API,
/// <c>{"action", "data"}</c>, may have further members, which are dropped (dtq-and-wippy.md B1), unless they look like an option.
/// </summary>
internal static class TaskMembers
{
    private static readonly string[] Original = ["action", "data"];

    private static readonly string[] Options =
    [
        "queue", "priority", "scheduled_at", "expires_at", "max_attempts", "dedupe_key", "overwrite", "ordering_key", "lease_seconds",
        "retry", "callback_url", "tags", "id",
    ];

    private static readonly FrozenSet<string> Known = Original.Concat(Options).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>What other queues call an option, without underscores.</summary>
    private static readonly FrozenDictionary<string, string> Elsewhere = new Dictionary<string, string>
    {
        ["delay"] = "scheduled_at", ["delayseconds"] = "scheduled_at", ["delayms"] = "scheduled_at", ["runat"] = "scheduled_at",
        ["eta"] = "scheduled_at", ["countdown"] = "scheduled_at", ["notbefore"] = "scheduled_at", ["maxretries"] = "max_attempts",
        ["startat"] = "scheduled_at", ["executeat"] = "scheduled_at", ["runafter"] = "scheduled_at", ["dueat"] = "scheduled_at",
        ["delayminutes"] = "scheduled_at", ["retries"] = "max_attempts", ["maxtries"] = "max_attempts", ["retrypolicy"] = "retry",
        ["lease"] = "lease_seconds", ["uniquekey"] = "dedupe_key", ["idempotencykey"] = "dedupe_key", ["deduplicationkey"] = "dedupe_key",
        ["threadid"] = "ordering_key", ["queuename"] = "queue", ["tag"] = "tags",
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>The same, of words that a body of the original API may have for itself.</summary>
    private static readonly FrozenDictionary<string, string> ElsewhereToo = new Dictionary<string, string>
    {
        ["name"] = "action", ["task"] = "action", ["type"] = "action", ["kind"] = "action", ["job"] = "action", ["payload"] = "data",
        ["args"] = "data", ["params"] = "data", ["input"] = "data", ["body"] = "data", ["timeout"] = "lease_seconds",
        ["group"] = "ordering_key", ["ttl"] = "expires_at", ["expires"] = "expires_at", ["webhook"] = "callback_url",
        ["callback"] = "callback_url", ["labels"] = "tags", ["level"] = "queue", ["tier"] = "queue",
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <param name="task">The body.</param>
    /// <param name="isNative">Whether the route is not one of the original API.</param>
    /// <exception cref="ApiException">400: it has a member that no task has.</exception>
    public static void Demand(JsonElement task, bool isNative)
    {
        List<string>? unknown = null;
        var isOriginal = !isNative;
        foreach (var member in task.EnumerateObject())
        {
            var name = member.Name;
            if (!Known.Contains(name))
                (unknown ??= []).Add(name);
            else
                isOriginal &= name is "action" or "data";
        }

        if ((isOriginal ? unknown?.Find(name => OptionOf(name) is not null) : unknown?[0]) is not { } first)
            return;
        var hint = OptionOf(first) ?? ElsewhereToo.GetValueOrDefault(Plain(first)) ?? Nearest.Of(first, Known);
        throw new ApiException(400, "invalid_task",
            $"{WrongShape.Shown(first)} is not a member of a task{(hint is null ? "" : $"; did you mean {hint}?")}");
    }

    /// <summary>
    /// The option that a member looks like. Short words resemble each other by chance, and a body of the original API may have some.
    /// </summary>
    private static string? OptionOf(string name) =>
        Elsewhere.GetValueOrDefault(Plain(name))
            ?? (name.Length > 3 && !ElsewhereToo.ContainsKey(Plain(name)) ? Nearest.Of(name, Options) : null);

    private static string Plain(string name) => name.Replace("_", "", StringComparison.Ordinal);
}
