using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Pull workers that claim and report under various rules, each against the plain case.</summary>
internal static class ClaimRulesScenario
{
    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        var figures = new List<Figure>();
        foreach (var rule in RuleCase.All(run.Sizes))
        {
            run.Say(rule.Name);
            await using var plainDatabase = await run.CreateDatabaseAsync();
            await using var database = await run.CreateDatabaseAsync();
            var (plain, ruled) = (new RuleLoad(run, plainDatabase, RuleCase.Plain), new RuleLoad(run, database, rule));
            await ruled.PrepareAsync();
            var (measured, reference) = await run.AlternateAsync(plain.MeasureAsync, ruled.MeasureAsync);
            figures.AddRange(Rows.OfLoad($"claim and report: {rule.Name}", measured, RuleCase.Plain.Name, reference,
                Goal.RatioAtLeast(rule.Bound)));
        }

        return figures;
    }

    /// <summary>A database on which each sample starts its own servers.</summary>
    private sealed class RuleLoad(BenchRun run, BenchDatabase database, RuleCase rule)
    {
        private long _submitted;
        private long _taken;

        public async Task PrepareAsync()
        {
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue, IsFinished: true), 1, rule.Finished);
            if (rule.Declared.Count == 0)
                return;
            using var server = await run.StartServerAsync(database);
            await rule.DeclareAsync(server, run.Stop);
        }

        public async Task<LoadSample> MeasureAsync()
        {
            var servers = await run.StartServersAsync(database, rule.Servers);
            try
            {
                var load = new PullLoad([.. servers.Where((_, i) => rule.Servers[i].Contains("api", StringComparison.Ordinal))],
                    rule.Targets);
                await TopUpAsync(servers[0]);
                await TakeAsync(load, run.Sizes.RuleClaimed / 4);
                await database.SettleAsync();
                var sample = await TakeAsync(load, run.Sizes.RuleClaimed);
                foreach (var server in servers)
                    server.DemandNoTrouble();
                return sample;
            }
            finally
            {
                foreach (var server in servers)
                    server.Dispose();
            }
        }

        private async Task TopUpAsync(ServerProcess server)
        {
            var missing = (int)(run.Sizes.RuleWaiting - (_submitted - _taken));
            await Producer.SubmitManyAsync(server.Http, rule.BodyOf, _submitted, missing, run.Stop);
            _submitted += missing;
            await database.TidyTasksAsync();
        }

        private async Task<LoadSample> TakeAsync(PullLoad load, int count)
        {
            var sample = await load.TakeAsync(count, run.Stop);
            _taken += count;
            var completed = await database.CountKeptAsync();
            return completed == _taken + rule.Finished
                ? sample
                : throw new BenchException($"{_taken} tasks were claimed and reported, but {completed - rule.Finished} are completed");
        }
    }
}
