using System.CommandLine;
using System.Text.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>schedules list</c>, <c>next</c> and <c>preview</c>.</summary>
internal static class ScheduleCommands
{
    private static readonly Argument<string> Queue = new("QUEUE") { Description = "Queue of the schedule." };
    private static readonly Argument<string> Name = new("NAME") { Description = "Name of the schedule." };
    private static readonly Argument<string> Cron = new("CRON") { Description = "A cron expression, in quotes." };
    private static readonly Option<string?> TimeZone = new("--time-zone") { Description = "IANA name; default UTC." };
    private static readonly Option<int> Count = new("--count") { Description = "How many ticks: 1 to 100.", DefaultValueFactory = _ => 5 };

    public static Command Create() => new("schedules", "Lists schedules, or the next ticks of one or of a cron expression.")
    {
        Session.Command("list", "Lists the schedules of all queues, by queue and name.", ListAsync, PagedList.Limit),
        Session.Command("next", "Lists the next ticks of a schedule; none while it is paused.", NextAsync, Queue, Name, Count),
        Session.Command("preview", "Lists the next ticks of a cron expression.", PreviewAsync, Cron, TimeZone, Count),
    };

    private static Task<int> ListAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        PagedList.PrintAsync(session, parsed, "/schedules", [], "schedules",
            Output.NewTable("QUEUE", "NAME", "CRON", "TIME ZONE", "STATE", "LAST", "NEXT", "ACTION", "PROBLEM"),
            s => [s.Cell("queue"), s.Cell("name"), s.Cell("cron"), s.Cell("time_zone"),
                s.GetProperty("paused").GetBoolean() ? "paused" : "active", s.Cell("last_at"),
                s.GetProperty("next").EnumerateArray().FirstOrDefault().Cell(), s.Cell("action"), s.Cell("problem")],
            cancellationToken);

    private static async Task<int> NextAsync(Session session, ParseResult parsed, CancellationToken cancellationToken) =>
        Print(session, await session.GetAsync(
            Session.Path("queues", parsed.GetRequiredValue(Queue), Session.Path("schedules", parsed.GetRequiredValue(Name),
                $"/next?count={parsed.GetValue(Count)}")), cancellationToken));

    private static async Task<int> PreviewAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var zone = parsed.GetValue(TimeZone) is { } name ? $"&time_zone={Uri.EscapeDataString(name)}" : "";
        return Print(session, await session.GetAsync(
            $"/schedules/preview?cron={Uri.EscapeDataString(parsed.GetRequiredValue(Cron))}{zone}&count={parsed.GetValue(Count)}",
            cancellationToken));
    }

    private static int Print(Session session, JsonElement ticks)
    {
        if (session.Output.IsJson)
        {
            session.Output.Json(ticks);
            return ExitCode.Done;
        }

        foreach (var tick in ticks.GetProperty("next").EnumerateArray())
            session.Output.Line(tick.Cell());
        return ExitCode.Done;
    }
}
