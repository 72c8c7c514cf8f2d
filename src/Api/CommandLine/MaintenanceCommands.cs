using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>maintenance list</c> and <c>maintenance run</c>.</summary>
internal static class MaintenanceCommands
{
    private static readonly Argument<string[]> Jobs = new("JOB") { Description = "Names of jobs.", Arity = ArgumentArity.OneOrMore };

    public static Command Create() => new("maintenance", "Lists the maintenance jobs, which remove old data, or runs them now.")
    {
        Session.Command("list", "Lists the jobs with their last and next runs.", (session, _, cancellationToken) =>
            ListAsync(session, cancellationToken)),
        Session.Command("run", "Runs jobs now.", (session, parsed, cancellationToken) =>
            RunAsync(session, parsed.GetRequiredValue(Jobs), cancellationToken), Jobs),
    };

    private static async Task<int> ListAsync(Session session, CancellationToken cancellationToken)
    {
        var list = await session.GetAsync("/maintenance", cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(list);
            return ExitCode.Done;
        }

        var table = Output.NewTable("JOB", "EVERY S", "OUTCOME", "LAST RUN", "MS", "REMOVED", "NEXT RUN", "ERROR");
        foreach (var job in list.GetProperty("jobs").EnumerateArray())
        {
            Output.AddRow(table, job.Cell("name"), job.Cell("interval_seconds"), job.Cell("outcome"), job.Cell("last_run_at"),
                job.Cell("duration_ms"), job.Cell("removed"), job.Cell("next_run_at"), job.Cell("error"));
        }

        session.Output.Table(table);
        return ExitCode.Done;
    }

    /// <summary>Continues after a refused job; the exit code reports it.</summary>
    private static async Task<int> RunAsync(Session session, string[] jobs, CancellationToken cancellationToken)
    {
        var answers = new JsonArray();
        var refused = 0;
        foreach (var job in jobs)
        {
            try
            {
                var answer = await session.PostAsync(Session.Path("maintenance", job, "/run"), null, cancellationToken);
                answers.Add(JsonObject.Create(answer));
                if (!session.Output.IsJson)
                    session.Output.Line($"{Output.Clean(job)}  {answer.Cell("status")}");
            }
            catch (TaskQueueException fault) when (fault.Status == 404)
            {
                refused++;
                answers.Add(new JsonObject { ["name"] = job, ["error"] = fault.Message, ["code"] = fault.Code });
                Output.Error(fault.Message);
            }
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["jobs"] = answers }));
        return refused == 0 ? ExitCode.Done : ExitCode.Failed;
    }
}
