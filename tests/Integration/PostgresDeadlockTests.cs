using Npgsql;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Four processes lock the same dedupe keys, ordering keys and tasks in every order at once, and never in a circle.</summary>
public sealed class PostgresDeadlockTests : IAsyncLifetime
{
    private const int Processes = 4, Rounds = 150;

    /// <summary>A database may sort them otherwise than this program.</summary>
    private static readonly string[] Keys = ["a", "B", "c", "D", "ä", "_"];

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly List<TestEngine> _engines = [];
    private TestDatabase _database = null!;
    private bool _stopped;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        for (var i = 0; i < Processes; i++)
            _engines.Add(new TestEngine(_database.Address, partitions: 2));
        await _engines[0].Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { DeadLetters = new DeadLetterSettings(MaxSize: 3) });
    }

    public async Task DisposeAsync()
    {
        await StopAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Groups_and_inserts_never_wait_for_each_other()
    {
        await Task.WhenAll(Enumerable.Range(0, Processes * 3).Select(n => Task.Run(() => WorkAsync(n))));
        await StopAsync(); // a session counts its deadlocks when it ends

        await Eventually.UntilAsync(
            async () => await CountAsync("select count(*) from pg_stat_activity where datname = current_database() and "
                + "application_name = 'taskqueue'") == 0,
            Deadline, "all sessions have ended");
        (await CountAsync("select deadlocks from pg_stat_database where datname = current_database()")).ShouldBe(0);
    }

    /// <summary>Submits, ends and retries tasks of a few keys, all in one group, in an order of its own.</summary>
    private async Task WorkAsync(int worker)
    {
        var engine = _engines[worker % Processes];
        var random = new Random(worker);
        var ids = new List<Guid>();
        for (var round = 0; round < Rounds; round++)
        {
            var tasks = Enumerable.Range(0, 4).Select(_ => New(random)).ToArray();
            random.Shuffle(tasks);
            ids.AddRange((await engine.Tasks.SubmitManyAsync(tasks)).Select(a => a.Id).Distinct());
            var claimed = await engine.Claims.ClaimAsync(
                new ClaimRequest([new("q", 0)], 4, $"w{worker}", 60_000), TimeSpan.Zero, CancellationToken.None);
            List<TaskCommand> commands =
            [
                .. claimed.Select(t => random.Next(2) == 0 ? (TaskCommand)engine.Tasks.Complete(t.CorrelationId, t.Attempt, null, null)
                    : engine.Tasks.Fail(t.CorrelationId, t.Attempt, null, "broken", retryable: random.Next(2) == 0)),
                .. Enumerable.Range(0, 3).Select(_ => new CancelTask(ids[random.Next(ids.Count)], Engine.Micros.Now(TimeProvider.System))),
                .. Enumerable.Range(0, 3).Select(_ => engine.Tasks.Retry(ids[random.Next(ids.Count)], null, null)),
            ];
            var mixed = commands.ToArray();
            random.Shuffle(mixed);
            await engine.Tasks.ApplyAsync(mixed);
            if (ids.Count > 12)
                ids.RemoveRange(0, ids.Count - 12);
        }
    }

    private static TaskSubmission New(Random random)
    {
        var key = random.Next(3) == 0 ? null : Keys[random.Next(Keys.Length)];
        return new TaskSubmission(TaskId.New(TimeProvider.System), "q", "{}")
        {
            DedupeKey = key,
            OrderingKey = random.Next(3) == 0 ? null : $"t{random.Next(4)}",
            Overwrite = key is null || random.Next(2) == 0 ? OverwriteFields.None : OverwriteFields.Payload | OverwriteFields.ScheduledAt,
            MaxAttempts = 2,
            Retry = new RetryPolicy { Intervals = [0] },
        };
    }

    private async Task StopAsync()
    {
        if (_stopped)
            return;
        _stopped = true;
        foreach (var engine in _engines)
            await engine.DisposeAsync();
    }

    private async Task<long> CountAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(_database.ConnectionString) { ApplicationName = "test" }.ConnectionString);
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
