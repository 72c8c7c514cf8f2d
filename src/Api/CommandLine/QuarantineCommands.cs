using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>quarantine list</c>, <c>quarantine release</c> and <c>quarantine drop</c>.</summary>
internal static class QuarantineCommands
{
    private const int Page = 1000;

    private static readonly Option<string?> Kind = new("--kind")
    {
        Description = "Only items of this kind: lease, dispatch, expiry, event, callback, batch, batch_item, schedule, message.",
    };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only items of this queue." };
    private static readonly Argument<string[]> Ids = new("ID") { Description = "Ids of items.", Arity = ArgumentArity.OneOrMore };

    public static Command Create() => new("quarantine", "Lists, releases or drops items that cannot be processed and were set aside.")
    {
        Session.Command("list", "Lists the items with their reasons.", ListAsync, Kind, Queue),
        Session.Command("release", "Releases items for processing.", (session, parsed, cancellationToken) =>
            EachAsync(session, parsed.GetRequiredValue(Ids), "released", id =>
                session.PostAsync(Session.Path("quarantine", id, "/release"), null, cancellationToken)), Ids),
        Session.Command("drop", "Drops items: a task is cancelled, a batch fails, an event or a callback is not sent.",
            (session, parsed, cancellationToken) =>
            EachAsync(session, parsed.GetRequiredValue(Ids), "dropped", id =>
                session.Client.CallAsync(HttpMethod.Delete, Session.Path("quarantine", id), null, cancellationToken)), Ids),
    };

    private static async Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var filter = string.Concat(
            parsed.GetValue(Kind) is { } kind ? $"&kind={Uri.EscapeDataString(kind)}" : "",
            parsed.GetValue(Queue) is { } queue ? $"&queue={Uri.EscapeDataString(queue)}" : "");
        var items = new JsonArray();
        var table = Output.NewTable("ID", "KIND", "SUBJECT", "QUEUE", "OWNER", "COUNT", "AT", "REASON");
        for (string? after = "0"; after is not null;)
        {
            var page = await session.GetAsync(string.Create(CultureInfo.InvariantCulture,
                $"/quarantine?limit={Page}&after={after}{filter}"), cancellationToken);
            foreach (var item in page.GetProperty("items").EnumerateArray())
            {
                items.Add(JsonObject.Create(item));
                Output.AddRow(table, item.Cell("id"), item.Cell("kind"), item.Cell("subject"), item.Cell("queue"), item.Cell("owner"),
                    item.Cell("count"), item.Cell("at"), item.Cell("reason"));
            }

            after = page.Cell("next") is { Length: > 0 } next ? next : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["items"] = items }));
        else
            session.Output.Table(table);
        return ExitCode.Done;
    }

    /// <summary>Continues after a refused item; the exit code reports it.</summary>
    private static async Task<int> EachAsync<T>(Session session, string[] ids, string word, Func<string, Task<T>> send)
    {
        var answers = new JsonArray();
        var refused = 0;
        foreach (var id in ids)
        {
            try
            {
                await send(id);
                answers.Add(new JsonObject { ["id"] = id, ["status"] = word });
                if (!session.Output.IsJson)
                    session.Output.Line($"{Output.Clean(id)}  {word}");
            }
            catch (TaskQueueException fault) when (fault.Status is 404 or 409)
            {
                refused++;
                answers.Add(new JsonObject { ["id"] = id, ["error"] = fault.Message, ["code"] = fault.Code });
                Output.Error(fault.Message);
            }
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["items"] = answers }));
        return refused == 0 ? ExitCode.Done : ExitCode.Failed;
    }
}
