using System.CommandLine;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>batches list</c>, <c>show</c>, <c>cancel</c> and <c>retry-failed</c>.</summary>
internal static class BatchCommands
{
    private static readonly Argument<string> Id = new("ID") { Description = "Id of a batch." };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only batches of this queue." };

    public static Command Create() => new("batches", "Lists batches of any API, shows one, cancels it, or runs its failed items again.")
    {
        Session.Command("list", "Lists batches, newest first.", ListAsync, Queue, PagedList.Limit),
        Session.Command("show", "Shows a batch with live counts.", ShowAsync, Id),
        Session.Command("cancel", "Cancels a batch; running tasks may finish within a grace period.", CancelAsync, Id),
        Session.Command("retry-failed", "Creates a batch of the failed items of one that has ended.", RetryAsync, Id),
    };

    private static Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        PagedList.PrintAsync(session, parsed, "/batches", [("queue", parsed.GetValue(Queue))], "batches",
            Output.NewTable("ID", "QUEUE", "STATE", "TOTAL", "COMPLETED", "FAILED", "CREATED", "FINISHED", "OWNER"),
            b => [b.Cell("id"), b.Cell("queue"), b.Cell("state"), b.Cell("total"), b.Cell("completed"), b.Cell("failed"),
                b.Cell("created_at"), b.Cell("finished_at"), b.Cell("owner")],
            cancellationToken);

    private static async Task<int> ShowAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var batch = await session.GetAsync(Session.Path("batches", parsed.GetRequiredValue(Id)), cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(batch);
        else
            session.Output.Table(Details.Of(batch));
        return ExitCode.Done;
    }

    private static Task<int> CancelAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        ChangeAsync(session, parsed, "/cancel", cancellationToken);

    private static Task<int> RetryAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        ChangeAsync(session, parsed, "/retry-failed", cancellationToken);

    private static async Task<int> ChangeAsync(Session session, ParseResult parsed, string change, CancellationToken cancellationToken)
    {
        var batch = await session.PostAsync(Session.Path("batches", parsed.GetRequiredValue(Id), change), null, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(batch);
        else
            session.Output.Line($"{Output.Clean(batch.Cell("id"))}  {batch.Cell("state")}");
        return ExitCode.Done;
    }
}
