using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using TaskQueue.Engine;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>search</c>: finds tasks, newest first.</summary>
internal static class SearchCommand
{
    private const int MostPages = 100;
    private const int PageSize = 200;

    private static readonly Option<string?> Queue = new("--queue") { Description = "Name of the queue." };
    private static readonly Option<string[]> State = new("--state")
    {
        Description = "pending, scheduled, running, retrying, completed, failed, cancelled or expired; repeat it for any of several.",
    };
    private static readonly Option<string?> Name = new("--name") { Description = "Name of the task." };
    private static readonly Option<string[]> Tag = new("--tag") { Description = "A tag; repeat it for tasks that have all of them." };
    private static readonly Option<string?> OrderingKey = new("--ordering-key") { Description = "Ordering key of the task." };
    private static readonly Option<string?> Worker = new("--worker") { Description = "The worker of the last attempt." };
    private static readonly Option<string?> Batch = new("--batch") { Description = "The batch whose item it is." };
    private static readonly Option<string?> Schedule = new("--schedule") { Description = "The schedule of --queue that submitted it." };
    private static readonly Option<string?> Owner = new("--owner") { Description = "Owner, for administrators of all tenants." };
    private static readonly Option<string?> Error = new("--error") { Description = "Beginning of the error." };
    private static readonly Option<string?> CreatedFrom = Time("--created-from", "Accepted not earlier: a time, or a duration ago.");
    private static readonly Option<string?> CreatedTo = Time("--created-to", "Accepted earlier.");
    private static readonly Option<string?> FinishedFrom = Time("--finished-from", "Ended not earlier.");
    private static readonly Option<string?> FinishedTo = Time("--finished-to", "Ended earlier.");
    private static readonly Option<int> Limit = new("--limit")
    {
        Description = "Maximum number of tasks.",
        DefaultValueFactory = _ => 50,
    };
    private static readonly Option<string?> Cursor = new("--cursor") { Description = "next_cursor of an earlier answer; see --json." };

    /// <summary>The options that are filters.</summary>
    public static IReadOnlyList<Option> FilterOptions { get; } =
    [
        Queue, State, Name, Tag, OrderingKey, Worker, Batch, Schedule, Owner, Error, CreatedFrom, CreatedTo, FinishedFrom, FinishedTo,
    ];

    private static readonly string[] States =
        ["pending", "scheduled", "running", "retrying", "completed", "failed", "cancelled", "expired"];

    static SearchCommand() => State.Validators.Add(result =>
    {
        if (result.Tokens.Select(t => t.Value).FirstOrDefault(v => !States.Contains(v, StringComparer.Ordinal)) is { } unknown)
            result.AddError($"'{unknown}' is not a state{Nearest.Hint(unknown, States)}; states are {string.Join(", ", States)}.");
    });

    public static Command Create() => Create("search", "Finds tasks, newest first.");

    /// <summary>The same, where those look who know a list of tasks.</summary>
    public static Command Tasks() => new("tasks", "Lists tasks.") { Create("list", "Lists tasks, newest first; the same as search.") };

    private static Command Create(string name, string description) =>
        Session.Command(name, description, RunAsync, [.. FilterOptions, Limit, Cursor]);

    private static Option<string?> Time(string name, string description) =>
        new(name) { Description = description, HelpName = "TIME|DURATION" };

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var limit = parsed.GetValue(Limit);
        if (limit < 1)
            throw CommandException.Usage("--limit must be 1 or more");
        var filters = string.Concat(Filters(parsed).Select(f => $"&{f.Name}={Uri.EscapeDataString(f.Value)}"));
        var tasks = new List<JsonElement>();
        var (cursor, total) = (parsed.GetValue(Cursor), default(JsonElement));
        for (var pages = 0; pages < MostPages && tasks.Count < limit; pages++)
        {
            var size = Math.Min(PageSize, limit - tasks.Count).ToString(CultureInfo.InvariantCulture);
            var page = await session.GetAsync(
                $"/tasks?limit={size}{filters}{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", cancellationToken);
            tasks.AddRange(page.GetProperty("tasks").EnumerateArray());
            (cursor, total) = (page.GetProperty("next_cursor").GetString(), page.GetProperty("total"));
            if (cursor is null)
                break;
        }

        Write(session.Output, tasks, cursor, total);
        return ExitCode.Done;
    }

    private static void Write(Output output, List<JsonElement> tasks, string? cursor, JsonElement total)
    {
        if (output.IsJson)
        {
            output.Json(JsonSerializer.SerializeToElement(
                new Dictionary<string, object?> { ["tasks"] = tasks, ["next_cursor"] = cursor, ["total"] = total }));
            return;
        }

        var table = Output.NewTable("ID", "QUEUE", "NAME", "STATE", "ATTEMPT", "TAGS", "WORKER", "CREATED AT", "FINISHED AT", "ERROR");
        foreach (var task in tasks)
        {
            Output.AddRow(table, task.Cell("id"), task.Cell("queue"), task.Cell("name"), task.Cell("state"), task.Cell("attempt"),
                string.Join(",", task.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString())), task.Cell("worker"),
                task.Cell("created_at"), task.Cell("finished_at"), task.Cell("error"));
        }

        output.Table(table);
        if (cursor is not null)
            Output.Error($"there may be more: {(total.GetProperty("exact").GetBoolean() ? "" : "about ")}{total.Cell("count")} in all; "
                + $"continue with --cursor {cursor}");
    }

    /// <summary>The filters that were given, by their names on the server.</summary>
    public static IEnumerable<(string Name, string Value)> Filters(ParseResult parsed)
    {
        (string Name, string? Value)[] single =
        [
            ("queue", parsed.GetValue(Queue)), ("name", parsed.GetValue(Name)), ("ordering_key", parsed.GetValue(OrderingKey)),
            ("worker", parsed.GetValue(Worker)), ("batch", parsed.GetValue(Batch)), ("schedule", parsed.GetValue(Schedule)),
            ("owner", parsed.GetValue(Owner)), ("error", parsed.GetValue(Error)),
            ("created_from", TimeOf(parsed, CreatedFrom)), ("created_to", TimeOf(parsed, CreatedTo)),
            ("finished_from", TimeOf(parsed, FinishedFrom)), ("finished_to", TimeOf(parsed, FinishedTo)),
        ];
        return Each("state", parsed.GetValue(State)).Concat(Each("tag", parsed.GetValue(Tag)))
            .Concat(single.Where(f => f.Value is not null).Select(f => (f.Name, f.Value!)));

        static IEnumerable<(string Name, string Value)> Each(string name, string[]? values) => (values ?? []).Select(v => (name, v));
    }

    private static string? TimeOf(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } text)
            return null;
        var now = TimeProvider.System.GetUtcNow();
        var time = TimeParser.Duration(text) is { } ago ? now - ago : TimeParser.Time(text, option.Name, now);
        return time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
    }
}
