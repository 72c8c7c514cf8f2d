using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>operations create</c>, <c>list</c>, <c>show</c>, <c>pause</c>, <c>resume</c>, <c>cancel</c> and <c>undo</c>.</summary>
internal static class OperationCommands
{
    private const int Page = 200;

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private static readonly Argument<string> Action = new("ACTION") { Description = "retry, cancel, delete, move or edit." };
    private static readonly Argument<string> Id = new("ID") { Description = "Id of an operation." };
    private static readonly Argument<string[]> Ids = new("ID") { Description = "Ids of operations.", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string[]> TaskIds = new("--id") { Description = "Id of a task; repeat it for several." };
    private static readonly Option<bool> All = new("--all") { Description = "All tasks that you can see, instead of filters." };
    private static readonly Option<string?> Target = new("--target-queue") { Description = "With move: where the tasks move." };
    private static readonly Option<string?> Patch = new("--patch")
    {
        Description = "With edit: a JSON patch (RFC 6902) of the payload, such as '[{\"op\": \"remove\", \"path\": \"/data/to\"}]'.",
        HelpName = "JSON",
    };
    private static readonly Option<double?> Rate = new("--rate") { Description = "Most tasks a second." };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only count the tasks." };
    private static readonly Option<bool> Wait = new("--wait")
    {
        Description = "Wait until the operation has ended or is paused; exit with 1 unless it is completed.",
    };
    private static readonly Option<int> Limit = new("--limit")
    {
        Description = "Maximum number of operations.",
        DefaultValueFactory = _ => 50,
    };

    public static Command Create() => new("operations", "Changes many tasks in the background: retry, cancel, delete, move, edit.")
    {
        Session.Command("create", "Starts an operation on tasks, by their ids or by filters.", CreateAsync,
            [Action, TaskIds, All, .. SearchCommand.FilterOptions, Target, Patch, Rate, DryRun, Wait]),
        Session.Command("list", "Lists operations, newest first.", ListAsync, Limit),
        Session.Command("show", "Shows an operation with its progress.", ShowAsync, Id),
        Verb("pause", "Stops operations until they are resumed."),
        Verb("resume", "Continues paused operations."),
        Verb("cancel", "Ends operations; what they have done stays."),
        Verb("undo", "Puts back what ended operations have changed, as far as that is possible."),
    };

    private static Command Verb(string verb, string description) =>
        Session.Command(verb, description, (session, parsed, cancellationToken) =>
            EachAsync(session, parsed.GetRequiredValue(Ids), verb, cancellationToken), Ids);

    private static async Task<int> CreateAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["action"] = parsed.GetRequiredValue(Action), ["selection"] = Selection(parsed) };
        if (parsed.GetValue(Target) is { } target)
            body["target_queue"] = target;
        if (parsed.GetValue(Patch) is { } patch)
            body["patch"] = Json(patch);
        if (parsed.GetValue(Rate) is { } rate)
            body["rate_per_second"] = rate;
        if (parsed.GetValue(DryRun))
            body["dry_run"] = true;
        var answer = await session.PostAsync("/operations", JsonSerializer.SerializeToElement(body), cancellationToken);
        if (parsed.GetValue(DryRun))
        {
            WritePreview(session.Output, answer);
            return ExitCode.Done;
        }

        var waits = parsed.GetValue(Wait);
        if (waits)
            answer = await EndAsync(session, answer, cancellationToken);
        Write(session.Output, answer);
        return answer.Count("failed") == 0 && (!waits || answer.Cell("state") == "completed") ? ExitCode.Done : ExitCode.Failed;
    }

    private static JsonObject Selection(ParseResult parsed)
    {
        var ids = parsed.GetValue(TaskIds) ?? [];
        var filters = SearchCommand.Filters(parsed).ToLookup(f => f.Name, f => f.Value);
        var ways = (ids.Length > 0 ? 1 : 0) + (filters.Count > 0 ? 1 : 0) + (parsed.GetValue(All) ? 1 : 0);
        if (ways != 1)
            throw CommandException.Usage("select the tasks either with --id, or with filters such as --queue, or with --all");
        if (ids.Length > 0)
            return new JsonObject { ["ids"] = Texts(ids) };
        var search = new JsonObject();
        foreach (var filter in filters)
            search[filter.Key] = filter.Key is "state" or "tag" ? Texts(filter) : JsonValue.Create(filter.Single());
        return new JsonObject { ["search"] = search };
    }

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);

    private static JsonNode? Json(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException fault)
        {
            throw CommandException.Usage($"--patch must be JSON: {fault.Message}");
        }
    }

    private static async Task<JsonElement> EndAsync(Session session, JsonElement operation, CancellationToken cancellationToken)
    {
        while (operation.Cell("state") is "planned" or "running" or "undoing")
        {
            await Task.Delay(LookAgain, TimeProvider.System, cancellationToken);
            operation = await session.GetAsync(Session.Path("operations", operation.Cell("id")), cancellationToken);
        }

        return operation;
    }

    private static async Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var limit = parsed.GetValue(Limit);
        if (limit < 1)
            throw CommandException.Usage("--limit must be 1 or more");
        var operations = new JsonArray();
        var table = Output.NewTable("ID", "ACTION", "STATE", "TOTAL", "DONE", "SKIPPED", "FAILED", "CREATED AT", "CREATED BY");
        for (string? cursor = ""; cursor is not null && operations.Count < limit;)
        {
            var size = Math.Min(Page, limit - operations.Count).ToString(CultureInfo.InvariantCulture);
            var page = await session.GetAsync(
                $"/operations?limit={size}{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", cancellationToken);
            foreach (var operation in page.GetProperty("operations").EnumerateArray())
            {
                operations.Add(JsonObject.Create(operation));
                Output.AddRow(table, operation.Cell("id"), operation.Cell("action"), operation.Cell("state"), Total(operation),
                    operation.Cell("done"), operation.Cell("skipped"), operation.Cell("failed"), operation.Cell("created_at"),
                    operation.Cell("created_by"));
            }

            cursor = page.Cell("next_cursor") is { Length: > 0 } next ? next : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["operations"] = operations }));
        else
            session.Output.Table(table);
        return ExitCode.Done;
    }

    private static async Task<int> ShowAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        Write(session.Output, await session.GetAsync(Session.Path("operations", parsed.GetRequiredValue(Id)), cancellationToken));
        return ExitCode.Done;
    }

    private static void Write(Output output, JsonElement operation)
    {
        if (output.IsJson)
        {
            output.Json(operation);
            return;
        }

        output.Table(Details.Of(operation, "total", "selection"));
        output.Line($"{Total(operation)} tasks in all");
    }

    private static void WritePreview(Output output, JsonElement preview)
    {
        if (output.IsJson)
            output.Json(preview);
        else
            output.Line($"{(preview.GetProperty("exact").GetBoolean() ? "" : "about ")}{preview.Cell("count")} tasks; nothing was changed");
    }

    private static string Total(JsonElement operation) =>
        operation.GetProperty("total") is var total && total.GetProperty("exact").GetBoolean() ? total.Cell("count")
            : $"~{total.Cell("count")}";

    /// <summary>Continues after a refusal; the exit code reports it.</summary>
    private static async Task<int> EachAsync(Session session, string[] ids, string verb, CancellationToken cancellationToken)
    {
        var answers = new JsonArray();
        var refused = 0;
        foreach (var id in ids)
        {
            try
            {
                var operation = await session.PostAsync(Session.Path("operations", id, $"/{verb}"), null, cancellationToken);
                answers.Add(JsonObject.Create(operation));
                if (!session.Output.IsJson)
                    session.Output.Line($"{Output.Clean(id)}  {operation.Cell("state")}");
            }
            catch (TaskQueueException fault) when (fault.Status is 404 or 409)
            {
                refused++;
                answers.Add(new JsonObject { ["id"] = id, ["error"] = fault.Message, ["code"] = fault.Code });
                Output.Error(fault.Message);
            }
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["operations"] = answers }));
        return refused == 0 ? ExitCode.Done : ExitCode.Failed;
    }
}
