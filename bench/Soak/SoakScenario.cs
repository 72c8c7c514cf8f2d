using System.Diagnostics;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Soak;

/// <summary>A long steady load with active retention: checks that sizes, latencies and memory stay flat.</summary>
internal static class SoakScenario
{
    /// <summary>Time for JIT compilation; the tables fill up much later.</summary>
    private const int WarmUpSeconds = 5;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        if (run.Server is not Postgres)
            throw new BenchException("the soak scenario needs PostgreSQL, whose statistics it reads");
        await using var database = await run.CreateDatabaseAsync();
        var servers = await StartAsync(run, database);
        try
        {
            await using var probe = new SoakProbe(await Postgres.OpenAsync(database.ConnectionString, run.Stop));
            var warmUp = new SoakLoad(servers[0].Http, run.Soak with { Seconds = WarmUpSeconds });
            await warmUp.RunAsync(run.Stop);
            var load = new SoakLoad(servers[0].Http, run.Soak);
            using var browser = run.Soak.Console ? await SoakBrowser.OpenAsync(
                new Uri(servers[0].Address, "console/"), "Overview · TaskQueue", run.Options.Scratch, run.Stop) : null;
            var samples = await WatchAsync(run, new SoakWatch(servers, probe, load, browser));
            servers.ForEach(s => s.DemandNoTrouble());
            run.Say("the load is over, and every task is reported");
            var completed = await database.CountCompletedAsync();
            if (completed != warmUp.Accepted + load.Accepted)
                throw new BenchException($"{warmUp.Accepted + load.Accepted} tasks were accepted, but {completed} are completed");
            var verdict = new SoakVerdict(run.Soak, samples);
            await SoakPage.WriteAsync(run, verdict, await probe.IndexesAsync(run.Stop), await probe.SettingsAsync(run.Stop));
            return verdict.Figures;
        }
        finally
        {
            servers.ForEach(s => s.Dispose());
        }
    }

    /// <summary>Starts one process per role, each with its own application name in the database.</summary>
    private static async Task<List<ServerProcess>> StartAsync(BenchRun run, BenchDatabase database)
    {
        await run.Broker.CleanAsync();
        var keep = new Dictionary<string, string> { ["TaskQueue__KeepFinished"] = $"{TimeSpan.FromSeconds(run.Soak.KeepSeconds)}" };
        var servers = new List<ServerProcess>();
        try
        {
            foreach (var role in SoakPlan.Roles)
                servers.Add(await ServerProcess.StartAsync(role, $"{database.ConnectionString};Application Name={role}",
                    run.Options.RabbitMq, run.Stop, keep));
            return servers;
        }
        catch
        {
            servers.ForEach(s => s.Dispose());
            throw;
        }
    }

    private static async Task<List<SoakSample>> WatchAsync(BenchRun run, SoakWatch watch)
    {
        var samples = new List<SoakSample>();
        await watch.BeginAsync(run.Stop);
        var since = Stopwatch.GetTimestamp();
        var load = watch.Load.RunAsync(run.Stop);
        for (var next = run.Soak.Interval; next.TotalSeconds <= run.Soak.Seconds; next += run.Soak.Interval)
        {
            var wait = next - Stopwatch.GetElapsedTime(since);
            if (wait > TimeSpan.Zero && await Task.WhenAny(load, Task.Delay(wait, run.Stop)) == load && !load.IsCompletedSuccessfully)
                break;
            samples.Add(await watch.SampleAsync(run.Stop));
            run.Say($"{samples[^1].Seconds:0} s: {samples[^1]}");
        }

        await load;
        return samples;
    }
}
