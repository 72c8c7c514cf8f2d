using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>failures list</c>, <c>show</c>, <c>resolve</c>, <c>ignore</c> and <c>reopen</c>.</summary>
internal static class FailureCommands
{
    private const int Page = 200;

    private static readonly Argument<string> Id = new("ID") { Description = "Id of a group." };
    private static readonly Argument<string[]> Ids = new("ID") { Description = "Ids of groups.", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only failures of this queue." };
    private static readonly Option<string?> Name = new("--name") { Description = "Only failures of tasks of this name." };
    private static readonly Option<string?> State = new("--state") { Description = "open, resolved or ignored." };
    private static readonly Option<string?> Kind = new("--kind") { Description = "error or crash." };

    public static Command Create() => new("failures", "Lists groups of failures with the same cause, shows one, or sets its state.")
    {
        Session.Command("list", "Lists the groups, those with the newest failure first.", ListAsync, Queue, Name, State, Kind),
        Session.Command("show", "Shows a group with its newest errors and stacks.", ShowAsync, Id),
        Verb("resolve", "resolved", "Marks groups as mended; the next failure opens them again."),
        Verb("ignore", "ignored", "Marks groups as of no interest."),
        Verb("reopen", "open", "Marks groups as open."),
    };

    private static Command Verb(string verb, string word, string description) =>
        Session.Command(verb, description, (session, parsed, cancellationToken) =>
            EachAsync(session, parsed.GetRequiredValue(Ids), verb, word, cancellationToken), Ids);

    private static async Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var filter = string.Concat(new[] { Queue, Name, State, Kind }.Select(option => parsed.GetValue(option) is { } value
            ? $"&{option.Name.TrimStart('-')}={Uri.EscapeDataString(value)}" : ""));
        var groups = new JsonArray();
        var table = Output.NewTable("ID", "KIND", "STATE", "COUNT", "LAST SEEN", "QUEUE", "NAME", "TYPE", "MESSAGE");
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await session.GetAsync(
                $"/failures?limit={Page}{filter}{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}",
                cancellationToken);
            foreach (var group in page.GetProperty("groups").EnumerateArray())
            {
                groups.Add(JsonObject.Create(group));
                var state = group.GetProperty("regressed").GetBoolean() ? "regressed" : group.Cell("state");
                Output.AddRow(table, group.Cell("id"), group.Cell("kind"), state, group.Cell("count"), group.Cell("last_seen_at"),
                    group.Cell("queue"), group.Cell("name"), group.Cell("error_type"), group.Cell("message"));
            }

            cursor = page.Cell("next_cursor") is { Length: > 0 } next ? next : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["groups"] = groups }));
        else
            session.Output.Table(table);
        return ExitCode.Done;
    }

    private static async Task<int> ShowAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var group = await session.GetAsync(Session.Path("failures", parsed.GetRequiredValue(Id)), cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(group);
            return ExitCode.Done;
        }

        session.Output.Table(Details.Of(group, "samples"));
        foreach (var sample in group.GetProperty("samples").EnumerateArray())
        {
            session.Output.Line("");
            session.Output.Table(Details.Of(sample, "stack"));
            foreach (var line in sample.Cell("stack").Split('\n', StringSplitOptions.RemoveEmptyEntries))
                session.Output.Line(Output.Clean(line.TrimEnd('\r')));
        }

        return ExitCode.Done;
    }

    /// <summary>Continues after a refused group; the exit code reports it.</summary>
    private static async Task<int> EachAsync(Session session, string[] ids, string verb, string word, CancellationToken cancellationToken)
    {
        var answers = new JsonArray();
        var refused = 0;
        foreach (var id in ids)
        {
            try
            {
                answers.Add(JsonObject.Create(await session.PostAsync(Session.Path("failures", id, $"/{verb}"), null, cancellationToken)));
                if (!session.Output.IsJson)
                    session.Output.Line($"{Output.Clean(id)}  {word}");
            }
            catch (TaskQueueException fault) when (fault.Status == 404)
            {
                refused++;
                answers.Add(new JsonObject { ["id"] = id, ["error"] = fault.Message, ["code"] = fault.Code });
                Output.Error(fault.Message);
            }
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["groups"] = answers }));
        return refused == 0 ? ExitCode.Done : ExitCode.Failed;
    }
}
