using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>show</c>, <c>retry</c> and <c>cancel</c>.</summary>
internal static class TaskCommands
{
    private static readonly Argument<string> Id = new("ID") { Description = "Id of the task." };
    private static readonly Argument<string[]> Ids = new("ID") { Description = "Ids of tasks.", Arity = ArgumentArity.OneOrMore };
    private static readonly Argument<string[]> SomeIds = new("ID") { Description = "Ids of failed or cancelled tasks.",
        Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> Queue = new("--queue")
    {
        Description = "Together with --dead: all dead letters of this queue.",
    };
    private static readonly Option<bool> Dead = new("--dead") { Description = "Together with --queue." };

    public static Command Show() => Session.Command("show", "Shows a task with its timeline.", ShowAsync, Id);

    public static Command Cancel() =>
        Session.Command("cancel", "Cancels tasks that have not ended.", (session, parsed, cancellationToken) =>
            EachAsync(session, parsed.GetRequiredValue(Ids), "cancel", cancellationToken), Ids);

    public static Command Retry() =>
        Session.Command("retry", "Runs failed or cancelled tasks again, or all dead letters of a queue.", RetryAsync, SomeIds, Queue, Dead);

    /// <summary>Writes a task as JSON or as text.</summary>
    public static void Write(Output output, JsonElement task)
    {
        if (output.IsJson)
        {
            output.Json(task);
            return;
        }

        output.Table(Details.Of(task, "timeline"));
        if (!task.TryGetProperty("timeline", out var timeline) || timeline.GetArrayLength() == 0)
            return;
        var table = Output.NewTable("AT", "EVENT", "ATTEMPT", "WORKER", "DUE AT", "ERROR");
        foreach (var step in timeline.EnumerateArray())
            Output.AddRow(table, step.Cell("at"), step.Cell("event"), step.Cell("attempt"), step.Cell("worker"), step.Cell("due_at"),
                step.Cell("error"));
        output.Line("");
        output.Table(table);
    }

    private static async Task<int> ShowAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        Write(session.Output, await session.GetAsync(Session.Path("tasks", parsed.GetRequiredValue(Id)), cancellationToken));
        return ExitCode.Done;
    }

    private static Task<int> RetryAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        (parsed.GetValue(SomeIds), parsed.GetValue(Queue), parsed.GetValue(Dead)) switch
        {
            ({ Length: > 0 } ids, null, false) => EachAsync(session, ids, "retry", cancellationToken),
            (null or [], { } queue, true) => RedriveAsync(session, queue, cancellationToken),
            _ => throw CommandException.Usage("give either task ids, or --queue QUEUE --dead for all dead letters of a queue"),
        };

    private static async Task<int> RedriveAsync(Session session, string queue, CancellationToken cancellationToken)
    {
        var done = await session.Client.RedriveAsync(queue, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(done, JsonStyle.Options));
        else
        {
            var skipped = done.Skipped > 0 ? $"; {done.Skipped} skipped, because another task has their dedupe key" : "";
            session.Output.Line($"{done.Restarted} dead letters requeued{skipped}");
        }

        return ExitCode.Done;
    }

    /// <summary>Continues after a refused task; the exit code reports it.</summary>
    private static async Task<int> EachAsync(Session session, string[] ids, string verb, CancellationToken cancellationToken)
    {
        var answers = new JsonArray();
        var refused = 0;
        foreach (var id in ids)
        {
            try
            {
                var answer = await session.PostAsync(Session.Path("tasks", id, $"/{verb}"), null, cancellationToken);
                answers.Add(JsonObject.Create(answer));
                if (!session.Output.IsJson)
                    session.Output.Line($"{answer.Cell("id")}  {answer.Cell("status")}");
            }
            catch (TaskQueueException fault) when (fault.Status is 404 or 409)
            {
                refused++;
                answers.Add(new JsonObject { ["id"] = id, ["error"] = fault.Message, ["code"] = fault.Code });
                Output.Error(fault.Message);
            }
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["tasks"] = answers }));
        return refused == 0 ? ExitCode.Done : ExitCode.Failed;
    }
}
