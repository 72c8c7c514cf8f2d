using System.CommandLine;
using System.Text.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>callbacks list</c> and <c>resend</c>.</summary>
internal static class CallbackCommands
{
    private static readonly Argument<string> TaskId = new("TASK") { Description = "Id of the task, or the UUID of the batch." };
    private static readonly Argument<string> Id = new("ID") { Description = "Id of the callback." };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only callbacks of this queue." };
    private static readonly Option<string?> State = new("--state") { Description = "waiting, delivered or failed." };

    public static Command Create() => new("callbacks", "Lists callbacks, or sends one again.")
    {
        Session.Command("list", "Lists callbacks of all tasks and batches, newest first.", ListAsync, Queue, State,
            PagedList.Limit),
        Session.Command("resend", "Sends a callback again that was delivered or has failed: one more try.", ResendAsync, TaskId, Id),
    };

    private static Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        PagedList.PrintAsync(session, parsed, "/callbacks",
            [("queue", parsed.GetValue(Queue)), ("state", parsed.GetValue(State))], "callbacks",
            Output.NewTable("ID", "TASK", "QUEUE", "STATE", "ATTEMPTS", "CREATED", "NEXT TRY", "LAST ANSWER", "URL"),
            c => [c.Cell("id"), c.Cell("task_id"), c.Cell("queue"), c.Cell("state"), c.Cell("attempts"), c.Cell("created_at"),
                c.Cell("due_at"), LastAnswer(c.GetProperty("log")), c.Cell("url")],
            cancellationToken);

    /// <summary>Status or error of the last try; empty if there was none, or it is hidden.</summary>
    private static string LastAnswer(JsonElement log)
    {
        if (log.ValueKind != JsonValueKind.Array || log.GetArrayLength() == 0)
            return "";
        var last = log[log.GetArrayLength() - 1];
        return last.Cell("status") is { Length: > 0 } status ? status : last.Cell("error");
    }

    private static async Task<int> ResendAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var callback = await session.PostAsync(
            Session.Path("tasks", parsed.GetRequiredValue(TaskId), Session.Path("callbacks", parsed.GetRequiredValue(Id), "/resend")), null,
            cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(callback);
        else
            session.Output.Line($"{Output.Clean(callback.Cell("id"))}  {callback.Cell("state")}");
        return ExitCode.Done;
    }
}
