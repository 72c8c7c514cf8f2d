using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace TaskQueue.Api.CommandLine;

/// <summary>What <c>enqueue</c> says of a task, and the body that it makes.</summary>
internal static class TaskOptions
{
    private static readonly Option<string?> Priority = new("--priority") { Description = "low, normal, high or critical." };
    private static readonly Option<int?> Tier = new("--tier")
    {
        Description = "Level of the queue: 0, the default, is the most urgent one.",
    };
    private static readonly Option<string?> Delay = new("--delay")
    {
        Description = $"Not before so long from now: {TimeParser.DurationRule}.",
        HelpName = "DURATION",
    };
    private static readonly Option<string?> At = new("--at") { Description = "Not before this time, such as 2030-01-31T12:00:00Z.",
        HelpName = "TIME" };
    private static readonly Option<string?> Expires = new("--expires")
    {
        Description = "Not started at or after this time, or so long from now.",
        HelpName = "TIME|DURATION",
    };
    private static readonly Option<string?> OrderingKey = new("--ordering-key")
    {
        Description = "Tasks of a queue with the same ordering key run one at a time, in order.",
    };
    private static readonly Option<int?> MaxAttempts = new("--max-attempts") { Description = "1 to 100." };
    private static readonly Option<string?> Retry = new("--retry")
    {
        Description = "Seconds after the first, second, … failure, such as 1,10,60.",
        HelpName = "SECONDS,…",
    };
    private static readonly Option<string?> CallbackUrl = new("--callback-url") { Description = "Where the result is posted to.",
        HelpName = "URL" };

    /// <summary>Not for many tasks: all but one would be duplicates.</summary>
    public static readonly Option<string?> DedupeKey = new("--dedupe-key")
    {
        Description = "At most one task of the queue with this key waits or runs.",
    };

    public static Option[] All { get; } = [Priority, Tier, Delay, At, Expires, DedupeKey, OrderingKey, MaxAttempts, Retry, CallbackUrl];

    /// <summary>The members of POST /tasks that the command line says.</summary>
    /// <exception cref="CommandException">They make no sense.</exception>
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
            (null, _) => throw CommandException.Usage("--tier needs the QUEUE that it is a tier of"),
            _ when queue.Contains(':', StringComparison.Ordinal) =>
                throw CommandException.Usage($"'{queue}' says a tier already; leave out --tier"),
            _ => $"{queue}:{tier}",
        };

    private static DateTimeOffset? Scheduled(string? delay, string? at, DateTimeOffset now) =>
        (delay, at) switch
        {
            (null, null) => null,
            ({ } span, null) =>
                now + (TimeParser.Duration(span) ?? throw CommandException.Usage($"--delay must be {TimeParser.DurationRule}")),
            (null, { } time) => TimeParser.Time(time, At.Name, now),
            _ => throw CommandException.Usage("--delay and --at cannot go together"),
        };

    private static JsonArray Intervals(string text) =>
        [.. text.Split(',')
            .Select(part => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
                && double.IsFinite(seconds)
            ? (JsonNode)seconds
            : throw CommandException.Usage("--retry must be seconds with commas between, such as 1,10,60"))];
}
