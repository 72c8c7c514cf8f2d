using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Contracts;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>enqueue</c>: enqueues one task from the command line, or many from a file.</summary>
internal static class EnqueueCommand
{
    /// <summary>Longest wait of one request, in seconds.</summary>
    private const int LongestWait = 30;

    private static readonly Argument<string?> Queue = new("QUEUE")
    {
        Description = "Name of the queue, or name:tier. With --file: the default for lines without one.",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Argument<string?> Name = new("NAME")
    {
        Description = "Name of the task, which selects the handler. With --file: the default for lines without one.",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Argument<string?> Data = new("DATA") { Description = "JSON for the handler; - reads it from standard input.",
        Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Wait = new("--wait")
    {
        Description = "Wait until the task has ended, at most this long, and print its result. Put it last, or write --wait=30.",
        Arity = ArgumentArity.ZeroOrOne,
        HelpName = "DURATION",
    };
    private static readonly Option<string?> File = new("--file")
    {
        Description = "Enqueue every line of a file, a JSON object as in POST /tasks; - reads standard input.",
        HelpName = "FILE",
    };
    private static readonly Option<bool> StopOnError = new("--stop-on-error")
    {
        Description = "With --file: stop at the first refused line, after accepting all lines before it. Default: skip it and continue.",
    };

    public static Command Create() =>
        Session.Command("enqueue", "Enqueues a task, or every line of a file.", RunAsync,
            [Queue, Name, Data, .. TaskOptions.All, Wait, File, StopOnError]);

    private static Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var (queue, name) = (parsed.GetValue(Queue), parsed.GetValue(Name));
        if (parsed.GetValue(File) is { } file)
        {
            if (parsed.GetValue(Data) is not null || parsed.GetResult(Wait) is not null
                || parsed.GetValue(TaskOptions.DedupeKey) is not null)
                throw CommandException.Usage("DATA, --wait and --dedupe-key are for one task and cannot be used with --file; put data "
                    + "and dedupe_key into the lines");
            return BulkEnqueue.RunAsync(session, file, TaskOptions.Read(parsed, queue, name), parsed.GetValue(StopOnError),
                cancellationToken);
        }

        if (queue is null || name is null)
            throw CommandException.Usage("give QUEUE and NAME, or --file FILE");
        if (parsed.GetValue(StopOnError))
            throw CommandException.Usage("--stop-on-error needs --file");
        return OneAsync(session, parsed, TaskOptions.Read(parsed, queue, name), cancellationToken);
    }

    private static async Task<int> OneAsync(Session session, ParseResult parsed, JsonObject task, CancellationToken cancellationToken)
    {
        var isWaiting = parsed.GetResult(Wait) is not null;
        TimeSpan? limit = parsed.GetValue(Wait) is { } text ? TimeParser.Duration(text)
            ?? throw CommandException.Usage($"--wait must be {TimeParser.DurationRule}, not '{text}'") : null;
        if (parsed.GetValue(Data) is { } data)
            task["data"] = await ReadAsync(data, cancellationToken);
        task["id"] = TaskId.New(TimeProvider.System);
        var answer = await IdempotentRetry.PostAsync(session, "/tasks", JsonSerializer.SerializeToElement(task), cancellationToken);
        if (isWaiting)
            return await WaitAsync(session, answer.Cell("id"), limit, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(answer);
        else
            session.Output.Line($"{answer.Cell("id")}  {answer.Cell("status")}");
        return ExitCode.Done;
    }

    private static async Task<JsonNode?> ReadAsync(string data, CancellationToken cancellationToken)
    {
        try
        {
            var text = data == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : data;
            var node = JsonNode.Parse(text, documentOptions: TaskLine.Options);
            _ = node?.ToJsonString(); // half of a surrogate pair is found only when it is written
            return node;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw CommandException.Usage($"DATA must be JSON, such as '{{\"to\":\"ann\"}}' or '\"text\"': {fault.Message}");
        }
    }

    private static async Task<int> WaitAsync(Session session, string id, TimeSpan? limit, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (limit is { } most)
            over.CancelAfter(most);
        var pause = TimeSpan.FromMilliseconds(100);
        try
        {
            while (true)
            {
                var asked = Stopwatch.GetTimestamp();
                var task = await session.GetAsync(Session.Path("tasks", id, $"?wait_seconds={LongestWait}"), over.Token);
                if (task.Cell("status") is "completed" or "failed" or "cancelled" or "expired")
                    return Finish(session.Output, task);
                if (Stopwatch.GetElapsedTime(asked) > pause)
                    continue;
                await Task.Delay(pause, over.Token); // a server without long-polling answers immediately
                pause = pause < TimeSpan.FromSeconds(1) ? pause * 2 : TimeSpan.FromSeconds(2);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw CommandException.Failed($"task {id} has not ended within {limit!.Value.TotalSeconds} s; it was not cancelled");
        }
    }

    private static int Finish(Output output, JsonElement task)
    {
        var status = task.Cell("status");
        if (output.IsJson)
            output.Json(task);
        else if (status == "completed")
            output.Line(task.TryGetProperty("result", out var result) ? result.GetRawText() : "null");
        if (status == "completed")
            return ExitCode.Done;
        var error = task.Cell("error");
        throw CommandException.Failed(Output.Clean($"task {task.Cell("id")} is {status}{(error.Length > 0 ? $": {error}" : "")}"));
    }
}
