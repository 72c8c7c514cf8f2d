using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Postgres;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>One process per role, never restarted, and what must hold after an outage.</summary>
internal sealed class OutageCluster : IAsyncDisposable
{
    /// <summary>
    /// The limit of commands waiting for the database in these processes, so that a small machine can exceed it. A process may
    /// grow by far less than all that is offered during an outage: by this limit, its copies, and uncollected garbage.
    /// </summary>
    private static readonly Dictionary<string, string> Settings = new()
    {
        ["TaskQueue:MaxWaitingBytes"] = "8388608",
        ["TaskQueue:Files:Store"] = "database",
    };

    private const long MaxGrowthKiB = 300 * 1024;

    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(75);

    private readonly Dictionary<string, TaskQueueProcess> _processes = [];
    private readonly Dictionary<string, long> _memory = [];
    private readonly string _direct;

    private OutageCluster(string direct) => _direct = direct;

    /// <param name="database">How the processes reach the database.</param>
    /// <param name="direct">How the test does, bypassing any proxy.</param>
    /// <param name="rabbitMq">A virtual host.</param>
    public static async Task<OutageCluster> StartAsync(string database, string direct, string rabbitMq)
    {
        var cluster = new OutageCluster(direct);
        await using (var db = cluster.Context())
            await db.Database.MigrateAsync();
        await Task.WhenAll(CrashCluster.Roles.Select(async role =>
        {
            var process = await TaskQueueProcess.StartAsync(role, database, rabbitMq, Settings);
            lock (cluster._processes)
                cluster._processes.Add(role, process);
        }));
        return cluster;
    }

    public Uri Address => _processes["api"].Http.BaseAddress!;

    /// <summary>Lines written by the processes so far.</summary>
    public int Lines => _processes.Values.Sum(p => p.Lines.Count);

    /// <summary>Remembers the size of the processes; call it after they have worked for a while.</summary>
    public void Weigh()
    {
        foreach (var (role, process) in _processes)
            _memory[role] = ResidentKiB(process);
    }

    public void HasNotGrown()
    {
        foreach (var (role, process) in _processes)
            (ResidentKiB(process) - _memory[role]).ShouldBeLessThan(MaxGrowthKiB, $"KiB of the process {role}");
    }

    /// <summary>Every accepted task is completed once, by the original processes.</summary>
    public async Task IsDoneAsync(IReadOnlyCollection<Guid> accepted)
    {
        _processes.Values.ShouldAllBe(p => !p.HasExited);
        await Eventually.UntilAsync(() => AllAreDoneAsync(accepted), Recovery, "every task is completed");
        await using var db = Context();
        var rows = await db.Tasks.AsNoTracking().Select(t => t.CorrelationId).ToListAsync();
        var completions = (await db.EventsAsync()).Where(e => e.Type == TaskEventType.Completed).CountBy(e => e.TaskId).ToList();
        rows.Except(completions.Select(c => c.Key)).ShouldBeEmpty();
        completions.ShouldAllBe(c => c.Value == 1);
        _processes.Values.ShouldAllBe(p => !p.HasExited);
    }

    /// <summary>
    /// Every process affected by the outage logged one line when it began, another when it was over, and little else.
    /// </summary>
    public async Task SaidAsync(string what, int linesBefore, int maxLines)
    {
        await Eventually.UntilAsync(
            () => Task.FromResult(_processes.Values.All(p =>
                Said(p, $"The {what} does not answer") == Said(p, $"The {what} answers again"))), Recovery,
            $"the log tells that the {what} is back");
        _processes.Values.ShouldContain(p => Said(p, $"The {what} does not answer") > 0);
        (Lines - linesBefore).ShouldBeLessThanOrEqualTo(maxLines);
    }

    /// <summary>Adds the output of the processes to any failure.</summary>
    public async Task ExplainedAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Exception fault)
        {
            var said = _processes.SelectMany(p => p.Value.Lines.TakeLast(20).Select(l => $"{p.Key}: {(l.Length > 300 ? l[..300] : l)}"));
            throw new InvalidOperationException($"{fault.Message}\n{await StatesAsync()}\n{string.Join('\n', said)}", fault);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values)
            await process.DisposeAsync();
    }

    private static int Said(TaskQueueProcess process, string words) =>
        process.Lines.Count(l => l.Contains(words, StringComparison.Ordinal));

    private static long ResidentKiB(TaskQueueProcess process) =>
        long.Parse(
            File.ReadLines($"/proc/{process.ProcessId}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture);

    private PostgresTaskDbContext Context() => new(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql(_direct).Options);

    /// <summary>Nothing waits or runs, and no accepted task is still on the bus or lost.</summary>
    private async Task<bool> AllAreDoneAsync(IReadOnlyCollection<Guid> accepted)
    {
        await using var db = Context();
        if (await db.Tasks.AnyAsync(t => t.State != TaskStates.Completed))
            return false;
        var rows = await db.Tasks.AsNoTracking().Select(t => t.CorrelationId).ToListAsync();
        return !accepted.Except(rows).Any();
    }

    private async Task<string> StatesAsync()
    {
        try
        {
            await using var db = Context();
            var states = await db.Tasks.GroupBy(t => new { t.Queue, t.State }).Select(g => new { g.Key, Count = g.Count() }).ToListAsync();
            return string.Join(", ", states.Select(s => $"{s.Count} {TaskStates.Word(s.Key.State)} in {s.Key.Queue}"));
        }
        catch (Exception fault) when (fault is Npgsql.NpgsqlException or InvalidOperationException)
        {
            return $"cannot look: {fault.Message}";
        }
    }
}
