using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>stats</c>: shows queue counts, once or repeatedly with rates.</summary>
internal static class StatsCommand
{
    private static readonly string[] Counts = ["waiting", "running", "completed", "dead_letters", "expired"];

    private static readonly Argument<string[]> Names = new("QUEUE")
    {
        Description = "Only these queues. Default: all that are declared or have tasks.",
        Arity = ArgumentArity.ZeroOrMore,
    };
    private static readonly Option<bool> Watch = new("--watch") { Description = "Refresh repeatedly, with rates, until Ctrl-C." };
    private static readonly Option<double> Every = new("--every") { Description = "With --watch: refresh interval in seconds. Default: 2.",
        HelpName = "SECONDS", DefaultValueFactory = _ => 2 };

    /// <summary>Snapshot of a queue.</summary>
    /// <param name="Details">The server's JSON.</param>
    /// <param name="Arrived">Number of tasks since the last purge.</param>
    /// <param name="Done">Number of ended tasks among them.</param>
    private sealed record Look(JsonElement Details, long Arrived, long Done);

    public static Command Create() =>
        Session.Command("stats", "Shows queue counts; with --watch also rates.", RunAsync, Names, Watch, Every);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var names = parsed.GetValue(Names) ?? [];
        var every = parsed.GetValue(Every);
        if (every is not (>= 0.1 and <= 3600))
            throw CommandException.Usage("--every must be 0.1 to 3600 seconds");
        if (!parsed.GetValue(Watch))
        {
            Show(session.Output, await LookAsync(session, names, cancellationToken), null, 0);
            return ExitCode.Done;
        }

        try
        {
            await WatchAsync(session, names, TimeSpan.FromSeconds(every), cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ended by Ctrl-C.
        }

        return ExitCode.Done;
    }

    private static async Task WatchAsync(Session session, string[] names, TimeSpan every, CancellationToken cancellationToken)
    {
        if (session.Output.IsLive)
            await session.Output.Screen.Live(new Text(""))
                .StartAsync(screen =>
                    RepeatAsync(session, names, every, (looks, before, seconds) =>
                        screen.UpdateTarget(ToTable(looks, before, seconds)), cancellationToken));
        else
            await RepeatAsync(session, names, every, (looks, before, seconds) =>
                Show(session.Output, looks, before, seconds), cancellationToken);
    }

    private static async Task RepeatAsync(Session session, string[] names, TimeSpan every,
        Action<List<Look>, Dictionary<string, Look>, double> show, CancellationToken cancellationToken)
    {
        Dictionary<string, Look> before = []; // the first snapshot has no rates
        var last = Stopwatch.GetTimestamp();
        while (true)
        {
            var looks = await LookAsync(session, names, cancellationToken);
            var now = Stopwatch.GetTimestamp();
            show(looks, before, Stopwatch.GetElapsedTime(last, now).TotalSeconds);
            (before, last) = (looks.ToDictionary(l => l.Details.Cell("name")), now);
            await Task.Delay(every, cancellationToken);
        }
    }

    private static async Task<List<Look>> LookAsync(Session session, string[] names, CancellationToken cancellationToken)
    {
        var queues = names.Length == 0 ? await QueueCommands.ReadAllAsync(session, cancellationToken)
            : await QueueCommands.ReadAsync(session, names, isGoneAllowed: false, cancellationToken);
        return [.. queues.Select(queue =>
        {
            var counts = queue.GetProperty("counts");
            var done = counts.Count("completed") + counts.Count("expired") + counts.Count("dead_letters");
            return new Look(queue, done + counts.Count("waiting") + counts.Count("running"), done);
        })];
    }

    private static void Show(Output output, List<Look> looks, Dictionary<string, Look>? before, double seconds)
    {
        if (output.IsJson)
            output.Json(ToJson(looks, before, seconds));
        else
            output.Table(ToTable(looks, before, seconds));
    }

    private static Table ToTable(List<Look> looks, Dictionary<string, Look>? before, double seconds)
    {
        string[] rates = before is null ? [] : ["IN/S", "DONE/S"];
        var table = Output.NewTable(["QUEUE", "STATE", "WAITING", "RUNNING", "COMPLETED", "FAILED", "EXPIRED", "OLDEST", .. rates]);
        foreach (var look in looks)
        {
            var counts = look.Details.GetProperty("counts");
            var (arriving, ending) = Rates(look, before, seconds);
            string[] speeds = before is null ? [] : [Rate(arriving), Rate(ending)];
            Output.AddRow(table,
                [look.Details.Cell("name"), QueueCommands.State(look.Details), counts.Cell("waiting"), counts.Cell("running"),
                    counts.Cell("completed"),
                counts.Cell("dead_letters"), counts.Cell("expired"), counts.Age("oldest_waiting_seconds"), .. speeds]);
        }

        return table;
    }

    private static JsonElement ToJson(List<Look> looks, Dictionary<string, Look>? before, double seconds)
    {
        var queues = new JsonArray();
        foreach (var look in looks)
        {
            var counts = look.Details.GetProperty("counts");
            var (arriving, ending) = Rates(look, before, seconds);
            var queue = new JsonObject
            {
                ["name"] = look.Details.Cell("name"),
                ["paused"] = look.Details.GetProperty("paused").GetBoolean(),
            };
            foreach (var name in Counts)
                queue[name] = counts.Count(name);
            queue["oldest_waiting_seconds"] = counts.TryGetProperty("oldest_waiting_seconds", out var age) ? JsonValue.Create(age) : null;
            (queue["in_per_second"], queue["done_per_second"]) = (arriving, ending);
            queues.Add(queue);
        }

        return JsonSerializer.SerializeToElement(new JsonObject { ["at"] = TimeProvider.System.GetUtcNow(), ["queues"] = queues });
    }

    /// <summary>Returns null for the first snapshot of a queue. A purge in between resets the counts.</summary>
    private static (double? Arriving, double? Ending) Rates(Look look, Dictionary<string, Look>? before, double seconds) =>
        before is not null && before.TryGetValue(look.Details.Cell("name"), out var old)
            ? (Math.Max(0, look.Arrived - old.Arrived) / seconds, Math.Max(0, look.Done - old.Done) / seconds)
            : (null, null);

    private static string Rate(double? rate) => rate?.ToString("0.#", CultureInfo.InvariantCulture) ?? "";
}
