using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace TaskQueue.Api.CommandLine;

/// <summary>Task options of <c>enqueue</c>, and the request body they form.</summary>
internal static class TaskOptions
{
    private static readonly Option<string?> Priority = new("--priority") { Description = "low, normal, high or critical." };
    private static readonly Option<int?> Tier = new("--tier")
    {
        Description = "Tier of the queue: 0, the default, is the most urgent one.",
    };
    private static readonly Option<string?> Delay = new("--delay")
    {
        Description = $"Run after a delay: {TimeParser.DurationRule}.",
        HelpName = "DURATION",
    };
    private static readonly Option<string?> At = new("--at") { Description = "Run not before this time, such as 2030-01-31T12:00:00Z.",
        HelpName = "TIME" };
    private static readonly Option<string?> Expires = new("--expires")
    {
        Description = "Expire unless started before this time, or within this duration.",
        HelpName = "TIME|DURATION",
    };
    private static readonly Option<string?> OrderingKey = new("--ordering-key")
    {
        Description = "Tasks of a queue with the same ordering key run one at a time, in order.",
    };
    private static readonly Option<string[]> Tags = new("--tag")
    {
        Description = "A tag by which the task is found; repeat it for more.",
        HelpName = "TAG",
    };
    private static readonly Option<int?> MaxAttempts = new("--max-attempts") { Description = "1 to 100." };
    private static readonly Option<string?> Retry = new("--retry")
    {
        Description = "Delays in seconds after the first, second, … failure, such as 1,10,60.",
        HelpName = "SECONDS,…",
    };
    private static readonly Option<string?> CallbackUrl = new("--callback-url") { Description = "URL to which the result is posted.",
        HelpName = "URL" };

    /// <summary>Not for several tasks: all but one would be duplicates.</summary>
    public static readonly Option<string?> DedupeKey = new("--dedupe-key")
    {
        Description = "At most one waiting or running task of the queue has this key.",
    };

    public static Option[] All { get; } = [Priority, Tier, Delay, At, Expires, DedupeKey, OrderingKey, Tags, MaxAttempts, Retry,
        CallbackUrl];

    /// <summary>Reads the members of the POST /tasks body from the command line.</summary>
    /// <exception cref="CommandException">The options are invalid.</exception>
    public static JsonObject Read(ParseResult parsed, string? queue, string? name)
    {
        var now = TimeProvider.System.GetUtcNow();
        var task = new JsonObject();
        Set(task, "queue", Target(queue, parsed.GetValue(Tier)));
        Set(task, "action", name);
        Set(task, "priority", parsed.GetValue(Priority));
        Set(task, "scheduled_at", Scheduled(parsed.GetValue(Delay), parsed.GetValue(At), now));
        Set(task, "expires_at", parsed.GetValue(Expires) is { } expires
            ? (DateTimeOffset?)TimeParser.Time(expires, Expires.Name, now) : null);
        Set(task, "dedupe_key", parsed.GetValue(DedupeKey));
        Set(task, "ordering_key", parsed.GetValue(OrderingKey));
        if (parsed.GetValue(Tags) is { Length: > 0 } tags)
            task["tags"] = new JsonArray([.. tags.Select(tag => (JsonNode?)tag)]);
        Set(task, "max_attempts", parsed.GetValue(MaxAttempts));
        Set(task, "callback_url", parsed.GetValue(CallbackUrl));
        if (parsed.GetValue(Retry) is { } retry)
            task["retry"] = new JsonObject { ["intervals"] = Intervals(retry) };
        return task;
    }

    private static void Set(JsonObject task, string name, JsonNode? value)
    {
        if (value is not null)
            task[name] = value;
    }

    private static string? Target(string? queue, int? tier) =>
        (queue, tier) switch
        {
            (_, null) => queue,
            (_, < 0) => throw CommandException.Usage("--tier must be 0 or more"),
            (null, _) => throw CommandException.Usage("--tier needs QUEUE"),
            _ when queue.Contains(':', StringComparison.Ordinal) =>
                throw CommandException.Usage($"'{queue}' already names a tier; omit --tier"),
            _ => $"{queue}:{tier}",
        };

    private static DateTimeOffset? Scheduled(string? delay, string? at, DateTimeOffset now) =>
        (delay, at) switch
        {
            (null, null) => null,
            ({ } span, null) =>
                now + (TimeParser.Duration(span) ?? throw CommandException.Usage($"--delay must be {TimeParser.DurationRule}")),
            (null, { } time) => TimeParser.Time(time, At.Name, now),
            _ => throw CommandException.Usage("--delay and --at cannot be combined"),
        };

    private static JsonArray Intervals(string text) =>
        [.. text.Split(',')
            .Select(part => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
                && double.IsFinite(seconds)
            ? (JsonNode)seconds
            : throw CommandException.Usage("--retry must be comma-separated seconds, such as 1,10,60"))];
}
