using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// The newest release and this version on one database and one broker: a rollout and a
/// rollback as seen from outside.
/// </summary>
[Collection(ProcessesCollection.Name)]
public sealed class UpgradeTests : IAsyncLifetime
{
    private const string AllRoles = "api,scheduler,consumers";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly List<TaskQueueProcess> _processes = [];
    private TestDatabase _database = null!;
    private string _rabbitMq = "";

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres, migrate: false);
        _rabbitMq = await TestServers.CreateVirtualHostAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    [UpgradeFact]
    public async Task An_upgrade_and_a_roll_back_under_load_fail_no_request_and_finish_every_task_once()
    {
        await MigrateAsync(PreviousVersion.Executable);
        await using var load = new UpgradeLoad();
        var old = await StartAsync(PreviousVersion.Executable);
        load.Use(old.Http);
        await load.GrowAsync(60);
        (await MigrateAsync(executable: null)).ShouldContain("applied");
        await load.GrowAsync(40);

        var current = await JoinAsync(load, executable: null, beside: old);
        await EndAsync(load, old);
        await load.GrowAsync(40);
        var back = await JoinAsync(load, PreviousVersion.Executable, beside: current);
        await EndAsync(load, current);
        await load.GrowAsync(40);

        await load.DisposeAsync();
        load.Failures.ShouldBeEmpty();
        await AllCompletedOnceAsync(back.Http, load.Accepted);
        // A process that stops releases the tasks it was handed but did not start, and logs it.
        _processes.SelectMany(p => p.Lines)
            .Where(l => l.Contains(" fail: ", StringComparison.Ordinal)
                && !l.Contains("ConsumerCanceledException", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private Dictionary<string, string> Environment => new() { ["ConnectionStrings__TaskQueue"] = _database.ConnectionString };

    private async Task<string> MigrateAsync(string? executable)
    {
        var (exitCode, output) = await TaskQueueProcess.RunAsync(["migrate"], Environment, executable);
        exitCode.ShouldBe(0, output);
        return output;
    }

    private async Task<TaskQueueProcess> StartAsync(string? executable)
    {
        var process = await TaskQueueProcess.StartAsync(AllRoles, _database.ConnectionString, _rabbitMq, executable: executable);
        _processes.Add(process);
        return process;
    }

    /// <summary>Another version runs beside a process; both accept tasks, hand them to workers, and run actions.</summary>
    private async Task<TaskQueueProcess> JoinAsync(UpgradeLoad load, string? executable, TaskQueueProcess beside)
    {
        var process = await StartAsync(executable);
        load.Use(process.Http);
        await load.GrowAsync(60);
        await BothRunActionsAsync(beside, process);
        return process;
    }

    /// <summary>As behind a load balancer: requests go elsewhere first.</summary>
    private static async Task EndAsync(UpgradeLoad load, TaskQueueProcess process)
    {
        await load.LeaveAsync(process.Http);
        (await process.TerminateAsync()).ShouldBe(0);
    }

    /// <summary>
    /// From now on each of the two completes actions that reach it over the bus; the worker's name has the process id.
    /// </summary>
    private async Task BothRunActionsAsync(params TaskQueueProcess[] processes)
    {
        await using var db = _database.CreateContext();
        var since = TimeProvider.System.GetUtcNow().UtcDateTime;
        foreach (var process in processes)
        {
            await Eventually.UntilAsync(
                () => db.Outbox.AnyAsync(o => o.At >= since && o.Type == TaskEventType.Completed
                    && o.Worker!.Contains($":{process.ProcessId}:")),
                Deadline, "both processes run actions");
        }
    }

    private async Task AllCompletedOnceAsync(HttpClient http, IReadOnlyCollection<Guid> accepted)
    {
        await using var db = _database.CreateContext();
        await Eventually.UntilAsync(
            async () =>
            {
                var left = await http.ClaimAsync(UpgradeLoad.Queue, max: 100);
                if (left.Count > 0)
                    await http.TellAsync("report",
                        [.. left.Select(t => new { id = t.Id(), attempt = t.Whole("attempt"), outcome = "completed" })]);
                return !await db.Tasks.AnyAsync(t => t.State != TaskStates.Completed);
            },
            Deadline, "every task is completed");
        (await db.Tasks.Select(t => t.CorrelationId).ToListAsync()).ShouldBe(accepted, ignoreOrder: true);
        var completions = (await db.EventsAsync()).Where(e => e.Type == TaskEventType.Completed).CountBy(e => e.TaskId).ToList();
        completions.Count.ShouldBe(accepted.Count);
        completions.ShouldAllBe(c => c.Value == 1);
        (await TestServers.QueueDepthsAsync(_rabbitMq)).Where(q => q.Name.EndsWith("_error", StringComparison.Ordinal)).ShouldBeEmpty();
    }
}
