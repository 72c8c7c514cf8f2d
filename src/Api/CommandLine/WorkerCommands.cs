using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>workers</c>, <c>workers drain</c> and <c>workers forget</c>.</summary>
internal static class WorkerCommands
{
    private const int Page = 200;

    private static readonly Argument<string> Id = new("ID") { Description = "Id of a worker." };

    public static Command Create()
    {
        var command = Session.Command("workers", "Lists workers, the latest started first.", ListAsync);
        command.Add(Session.Command("drain", "Asks a worker to finish its tasks and claim no more.", DrainAsync, Id));
        command.Add(Session.Command("forget", "Removes a lost, stopped or draining worker from the list.", ForgetAsync, Id));
        return command;
    }

    private static async Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var workers = new JsonArray();
        var table = Output.NewTable("ID", "NAME", "STATE", "TRANSPORT", "RUNNING", "SLOTS", "QUEUES", "LAST SEEN", "LOST", "HOST",
            "VERSION", "OWNER");
        for (string? path = $"/workers?limit={Page}"; path is not null;)
        {
            var page = await session.GetAsync(path, cancellationToken);
            foreach (var worker in page.GetProperty("workers").EnumerateArray())
            {
                workers.Add(JsonObject.Create(worker));
                Output.AddRow(table, worker.Cell("id"), worker.Cell("name"), worker.Cell("state"), worker.Cell("transport"),
                    worker.Cell("running"), worker.Cell("slots"),
                    string.Join(' ', worker.GetProperty("queues").EnumerateArray().Select(q => q.Cell())), worker.Cell("last_seen_at"),
                    Lost(worker.GetProperty("lost_tasks")), worker.Cell("host"), worker.Cell("version"), worker.Cell("owner"));
            }

            path = page.Cell("next_cursor") is { Length: > 0 } next ? $"/workers?limit={Page}&cursor={Uri.EscapeDataString(next)}" : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["workers"] = workers }));
        else
            session.Output.Table(table);
        return ExitCode.Done;
    }

    private static string Lost(JsonElement tasks) =>
        tasks.ValueKind == JsonValueKind.Object ? $"{tasks.Cell("retried")} retried, {tasks.Cell("failed")} failed" : "";

    private static async Task<int> DrainAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var answer = await session.PostAsync(Session.Path("workers", parsed.GetRequiredValue(Id), "/drain"), null, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(answer);
        else
            session.Output.Line($"{answer.Cell("id")}  {answer.Cell("state")}");
        return ExitCode.Done;
    }

    private static async Task<int> ForgetAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var id = parsed.GetRequiredValue(Id);
        await session.Client.ForgetWorkerAsync(id, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["id"] = id, ["status"] = "forgotten" }));
        else
            session.Output.Line($"{Output.Clean(id)}  forgotten");
        return ExitCode.Done;
    }
}
