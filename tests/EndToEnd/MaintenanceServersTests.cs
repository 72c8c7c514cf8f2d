using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Shouldly;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Scheduler.Retention;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Several schedulers on PostgreSQL: one of them runs a job at a time, and only our own jobs.</summary>
public sealed class MaintenanceServersTests : IAsyncLifetime
{
    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["Logging:LogLevel:Default"] = "None", ["TaskQueue:Maintenance:PollSeconds"] = "1",
        ["TaskQueue:Maintenance:TakeOverAfterSeconds"] = "60", ["TaskQueue:Maintenance:StaleUsageInterval"] = "1.00:00:00",
    };

    private readonly List<TestHost> _hosts = [];
    private TestDatabase _database = null!;
    private string _rabbitMq = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _rabbitMq = await TestServers.CreateVirtualHostAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
            await host.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Two_processes_run_a_job_one_at_a_time()
    {
        var probe = new Probe();
        var (first, second) = (await StartAsync(probe), await StartAsync(probe));
        var asked = new[] { first, second, first, second };
        foreach (var host in asked)
            host.Services.GetRequiredService<MaintenanceSchedule>().Enqueue(MaintenanceJobs.Find("stale-usage")!);
        await Eventually.UntilAsync(() => Task.FromResult(probe.Running == 1), TestHttp.Patience, "one runs");
        await Eventually.UntilAsync(
            async () =>
                await TextAsync("select count(*)::text from maintenance.job where statename = 'Succeeded' and arguments::text like "
                    + "'%stale-usage%'") == $"{asked.Length - 1}",
            TestHttp.Patience, "the others find it taken");
        (await first.Http.PostAsync("/maintenance/stale-usage/run", "")).Json.Text("status").ShouldBe("running");
        (await JobAsync(second)).Text("outcome").ShouldBe("running");

        probe.Go.SetResult();
        await Eventually.UntilAsync(async () => (await JobAsync(second)).Text("outcome") == "succeeded", TestHttp.Patience, "it ends");
        (probe.Most, probe.Runs).ShouldBe((1, 1));
    }

    [Fact]
    public async Task A_stopping_process_hands_its_run_over_at_once()
    {
        var (one, other) = (new Probe(), new Probe());
        other.Go.SetResult();
        var first = await StartAsync(one);
        (await first.Http.PostAsync("/maintenance/stale-usage/run", "")).Json.Text("status").ShouldBe("queued");
        await Eventually.UntilAsync(() => Task.FromResult(one.Running == 1), TestHttp.Patience, "it runs");
        var second = await StartAsync(other);

        await first.StopAsync();
        one.Running.ShouldBe(0);
        await Eventually.UntilAsync(
            async () => (await JobAsync(second)).Text("outcome") == "succeeded", TestHttp.Patience, "the other one does it");
        other.Runs.ShouldBe(1);
    }

    [Fact]
    public async Task Stored_jobs_cannot_make_a_process_call_anything_else()
    {
        var host = await StartAsync(new Probe());
        var file = Path.GetTempFileName();
        (string Type, string Method, string Parameters, string[] Arguments, string Reason)[] foreign =
        [
            ("System.IO.File, mscorlib", "Delete",
                """["System.String, mscorlib"]""", [JsonSerializer.Serialize(file)], "System.IO.File, mscorlib is not a maintenance job"),
            (typeof(ForeignCode).AssemblyQualifiedName!, nameof(ForeignCode.Run), "[]", [], typeof(ForeignCode).FullName!),
            // Named like ours, so that rows like these do run.
            ("maintenance", "RunAsync",
                """["string","context","token"]""", ["\"format-disk\"", null!, null!], "there is no maintenance job format-disk"),
        ];
        foreach (var row in foreign)
        {
            var id = await InsertAsync(JsonSerializer.Serialize(new { row.Type, row.Method, ParameterTypes = row.Parameters }),
                JsonSerializer.Serialize(row.Arguments));
            var reason = await Eventually.UntilAsync(
                () => TextAsync($"select reason from maintenance.state where jobid = {id} and name = 'Scheduled'"),
                TestHttp.Patience, row.Type);
            reason.ShouldContain(row.Reason);
            (await TextAsync($"select name from maintenance.state where jobid = {id} and name = 'Succeeded'")).ShouldBeNull();
        }

        File.Exists(file).ShouldBeTrue();
        File.Delete(file);
        ForeignCode.HasRun.ShouldBeFalse();
        (await host.Http.PostAsync("/maintenance/audit-retention/run", "")).Status.ShouldBe(202);
        await Eventually.UntilAsync(
            async () => (await JobAsync(host, "audit-retention")).Text("outcome") == "succeeded", TestHttp.Patience, "others go on");
    }

    [Fact]
    public async Task Processes_that_start_together_make_the_tables_once()
    {
        var hosts = await Task.WhenAll(Enumerable.Range(0, 3)
            .Select(_ => TestHost.StartAsync(_database.ConnectionString, _rabbitMq, "api", Settings)));
        _hosts.AddRange(hosts);
        foreach (var host in hosts)
        {
            var reply = await host.Http.ReadAsync("/maintenance");
            reply.Status.ShouldBe(200, reply.Text);
            reply.Json.GetProperty("jobs").EnumerateArray()
                .ShouldAllBe(j => j.GetProperty("next_run_at").ValueKind == JsonValueKind.Null, "no scheduler has started");
        }
    }

    private async Task<TestHost> StartAsync(Probe probe)
    {
        var host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, "api,scheduler", Settings, services =>
            services.AddSingleton(typeof(StaleUsage), _ => probe));
        _hosts.Add(host);
        return host;
    }

    private static async Task<JsonElement> JobAsync(TestHost host, string name = "stale-usage") =>
        (await host.Http.ReadAsync("/maintenance")).Json.GetProperty("jobs").EnumerateArray().Single(j => j.Text("name") == name);

    /// <summary>A row in the queue as Hangfire would write it.</summary>
    private async Task<string> InsertAsync(string invocation, string arguments) => (await TextAsync(
        $"""
        with job as (insert into maintenance.job (invocationdata, arguments, createdat, statename) values ('{invocation}'::jsonb,
            '{arguments}'::jsonb, now(), 'Enqueued') returning id),
        queued as (insert into maintenance.jobqueue (jobid, queue) select id, 'maintenance' from job)
        select id::text from job
        """))!;

    private async Task<string?> TextAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_database.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync() as string;
    }

    /// <summary>Replaces a job: runs until it may end.</summary>
    private sealed class Probe : IMaintenanceJob
    {
        private int _running;

        public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Running => Volatile.Read(ref _running);

        public int Most { get; private set; }

        public int Runs { get; private set; }

        public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
        {
            Most = Math.Max(Most, Interlocked.Increment(ref _running));
            Runs++;
            try
            {
                await Go.Task.WaitAsync(cancellationToken);
                return 1;
            }
            finally
            {
                Interlocked.Decrement(ref _running);
            }
        }
    }
}

/// <summary>The type that a foreign row names.</summary>
public static class ForeignCode
{
    public static bool HasRun { get; private set; }

    public static void Run() => HasRun = true;
}
