using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>statistics</c>: what happened to the tasks of queues over time.</summary>
internal static class StatisticsCommand
{
    private static readonly Argument<string[]> Queues = new("QUEUE")
    {
        Description = "Queues. Default: all that the key covers.", Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Step = new("--step") { Description = "minute, hour or day. Default: minute." };
    private static readonly Option<string?> From = new("--from") { Description = "Start: a time, or a duration ago such as 24h.",
        HelpName = "TIME" };
    private static readonly Option<string?> To = new("--to") { Description = "End: a time, or a duration ago.", HelpName = "TIME" };

    public static Command Create() => Session.Command("statistics",
        "Shows what happened to the tasks of queues over time: counts, what waited, and how long attempts ran.", RunAsync,
        Queues, Step, From, To);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var query = parsed.GetValue(Queues)!.Select(q => ("queue", (string?)q)).Concat(
            [("step", parsed.GetValue(Step)), ("from", TimeParser.Ago(parsed.GetValue(From), "--from")),
                ("to", TimeParser.Ago(parsed.GetValue(To), "--to"))]);
        var given = query.Where(q => q.Item2 is not null).Select(q => $"{q.Item1}={Uri.EscapeDataString(q.Item2!)}");
        var statistics = await session.GetAsync($"/statistics?{string.Join('&', given)}", cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(statistics);
            return ExitCode.Done;
        }

        var table = Output.NewTable("QUEUE", "AT", "SUBMITTED", "STARTED", "COMPLETED", "FAILED", "RETRIED", "CANCELLED", "EXPIRED",
            "WAITING", "OLDEST", "RUN AVG", "RUN P95");
        foreach (var queue in statistics.GetProperty("queues").EnumerateArray())
        {
            foreach (var point in queue.GetProperty("points").EnumerateArray())
            {
                var run = point.GetProperty("run_seconds");
                Output.AddRow(table, queue.Cell("queue"), point.Cell("at"), point.Cell("submitted"), point.Cell("started"),
                    point.Cell("completed"), point.Cell("failed"), point.Cell("retried"), point.Cell("cancelled"), point.Cell("expired"),
                    point.Cell("waiting"), point.Age("oldest_age_seconds"), Average(run), Percentile(run, 0.95));
            }
        }

        session.Output.Table(table);
        return ExitCode.Done;
    }

    private static string Average(JsonElement run) =>
        run.Count("count") is > 0 and var count ? Seconds(run.GetProperty("sum").GetDouble() / count) : "";

    /// <summary>The bound of the bucket that holds it.</summary>
    private static string Percentile(JsonElement run, double share)
    {
        if (run.Count("count") is not (> 0 and var count))
            return "";
        foreach (var bucket in run.GetProperty("buckets").EnumerateArray())
        {
            if (bucket.Count("count") >= share * count)
                return $"<= {Seconds(bucket.GetProperty("le").GetDouble())}";
        }

        return "> 1 h";
    }

    private static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.###} s");
}
