using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>queues</c>, <c>pause</c>, <c>resume</c> and <c>purge</c>.</summary>
internal static class QueueCommands
{
    /// <summary>Maximum concurrent requests: counts are requested per queue.</summary>
    private const int Together = 8;

    private static readonly Argument<string> Name = new("QUEUE") { Description = "Name of the queue." };
    private static readonly Argument<string?> OneName = new("QUEUE") { Description = "Show this queue in detail.",
        Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Yes = new("--yes") { Description = "Do not ask for confirmation." };

    public static Command Queues() =>
        Session.Command("queues", "Lists the queues with their counts, or shows one in detail.", (session, parsed, cancellationToken) =>
            parsed.GetValue(OneName) is { } name ? ShowAsync(session, name, cancellationToken)
                : ListAsync(session, cancellationToken), OneName);

    public static Command Pause() =>
        Session.Command("pause", "Pauses a queue; running tasks continue.", (session, parsed, cancellationToken) =>
            SetPausedAsync(session, parsed.GetRequiredValue(Name), "pause", cancellationToken), Name);

    public static Command Resume() =>
        Session.Command("resume", "Resumes a paused queue.", (session, parsed, cancellationToken) =>
            SetPausedAsync(session, parsed.GetRequiredValue(Name), "resume", cancellationToken), Name);

    public static Command Purge() =>
        Session.Command("purge", "Deletes the waiting and running tasks and the dead letters of a queue; asks first.",
            (session, parsed, cancellationToken) =>
            PurgeAsync(session, parsed.GetRequiredValue(Name), parsed.GetValue(Yes), cancellationToken), Name, Yes);

    /// <summary>Reads the queues that are declared or have tasks, with their counts, ordered by name.</summary>
    public static async Task<List<JsonElement>> ReadAllAsync(Session session, CancellationToken cancellationToken)
    {
        var list = await session.GetAsync("/queues", cancellationToken);
        return await ReadAsync(session, [.. list.GetProperty("queues").EnumerateArray().Select(q => q.Cell("name"))], isGoneAllowed: true,
            cancellationToken);
    }

    /// <summary>Reads queues with their counts, in the given order.</summary>
    public static async Task<List<JsonElement>> ReadAsync(Session session, string[] names, bool isGoneAllowed,
        CancellationToken cancellationToken)
    {
        var found = new JsonElement?[names.Length];
        await Parallel.ForAsync(0, names.Length,
            new ParallelOptions { MaxDegreeOfParallelism = Together, CancellationToken = cancellationToken },
            async (i, cancellationToken) =>
        {
            try
            {
                found[i] = await session.GetAsync(Session.Path("queues", names[i]), cancellationToken);
            }
            catch (TaskQueueException gone) when (gone.Status == 404 && isGoneAllowed)
            {
                // The queue was deleted after the list was read.
            }
        });
        return [.. found.OfType<JsonElement>()];
    }

    private static async Task<int> ListAsync(Session session, CancellationToken cancellationToken)
    {
        var queues = await ReadAllAsync(session, cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(JsonSerializer.SerializeToElement(new { queues }, JsonStyle.Options));
            return ExitCode.Done;
        }

        var table = Output.NewTable("QUEUE", "DELIVERY", "STATE", "WAITING", "RUNNING", "DEAD", "COMPLETED", "EXPIRED", "LATER",
            "OLDEST");
        foreach (var queue in queues)
        {
            var counts = queue.GetProperty("counts");
            Output.AddRow(table, queue.Cell("name"), queue.Cell("delivery"), State(queue), counts.Cell("waiting"), counts.Cell("running"),
                counts.Cell("dead_letters"), counts.Cell("completed"), counts.Cell("expired"), counts.Cell("later"),
                counts.Age("oldest_waiting_seconds"));
        }

        session.Output.Table(table);
        return ExitCode.Done;
    }

    /// <summary>State of a queue: <c>open</c>, <c>paused</c> or <c>undeclared</c>.</summary>
    public static string State(JsonElement queue) =>
        queue.GetProperty("paused").GetBoolean() ? "paused" : queue.GetProperty("version").GetInt32() == 0 ? "undeclared" : "open";

    private static async Task<int> ShowAsync(Session session, string name, CancellationToken cancellationToken)
    {
        var queue = await session.GetAsync(Session.Path("queues", name), cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(queue);
            return ExitCode.Done;
        }

        session.Output.Table(Details.Of(Shown(queue)));
        return ExitCode.Done;
    }

    /// <summary>A limit of 0 is none.</summary>
    private static JsonElement Shown(JsonElement queue)
    {
        var shown = JsonObject.Create(queue)!;
        if (queue.Count("max_running") == 0)
            shown["max_running"] = "unlimited";
        return JsonSerializer.SerializeToElement(shown);
    }

    private static async Task<int> SetPausedAsync(Session session, string name, string verb, CancellationToken cancellationToken)
    {
        var queue = await session.PostAsync(Session.Path("queues", name, $"/{verb}"), null, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(queue);
        else
            session.Output.Line($"{Output.Clean(name)} is {(queue.GetProperty("paused").GetBoolean() ? "paused" : "open")}");
        return ExitCode.Done;
    }

    private static async Task<int> PurgeAsync(Session session, string name, bool isSure, CancellationToken cancellationToken)
    {
        var counts = (await session.GetAsync(Session.Path("queues", name), cancellationToken)).GetProperty("counts");
        var (waiting, running, dead) = (counts.Count("waiting"), counts.Count("running"), counts.Count("dead_letters"));
        if (!isSure
            && !Confirm(session,
                $"Delete {waiting} waiting and {running} running tasks and {dead} dead letters of queue {Output.Clean(name)}? [y/N] "))
            throw CommandException.Failed("nothing was deleted");
        await session.Client.PurgeAsync(name, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new { queue = name, purged = true, waiting, running,
                dead_letters = dead }));
        else
            session.Output.Line($"{Output.Clean(name)} is purged: {waiting} waiting, {running} running, {dead} dead letters");
        return ExitCode.Done;
    }

    private static bool Confirm(Session session, string question)
    {
        if (Console.IsInputRedirected || session.Output.IsJson)
            throw CommandException.Usage("cannot ask for confirmation without a terminal; use --yes to delete without asking");
        Console.Error.Write(question);
        return Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }
}
