using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>
/// Commits waiting commands in groups: one read, the state machine on each task, one write. There is no timer: a group is whatever arrived
/// while the last one committed. Partitions work concurrently; a task always maps to the same partition, so its commands are applied in
/// order of arrival. A task that another transaction holds leaves its group, and delays nobody else.
/// </summary>
internal sealed partial class GroupCommitter : ITaskCommitter, IHostedService, IDisposable
{
    private const int MaxGroup = 256;

    /// <summary>Maximum characters of texts in a group: bounds the wait of the commands behind it.</summary>
    private const long MaxChars = 4 * 1024 * 1024;

    /// <summary>Commands that may wait in a partition before senders are blocked.</summary>
    private const int PartitionCapacity = 8192;

    /// <summary>Maximum retries of a group on concurrency conflicts.</summary>
    private const int MaxRaces = 20;

    private readonly ITaskStore _store;
    private readonly TaskTransitions _transitions;
    private readonly QueueCatalog _queues;
    private readonly PostCommitNotifier _postCommit;
    private readonly IReplySender _replies;
    private readonly TaskMetrics _metrics;
    private readonly FailureCounts _failures;
    private readonly WorkerRegistry _workers;
    private readonly DependencyHealth _dependencies;
    private readonly TimeSpan _maxWait;
    private readonly ILogger<GroupCommitter> _logger;
    private readonly Channel<GroupEntry>[] _partitions;
    private readonly HeldTasks _held;
    private readonly Task _running;
    private long _groups;

    public GroupCommitter(ITaskStore store, TaskStateMachine machine, QueueCatalog queues, PostCommitNotifier postCommit,
        IReplySender replies, TaskMetrics metrics, FailureCounts failures, WorkerRegistry workers,
        GroupCommitOptions options, LoopHeartbeats heartbeats,
        DependencyHealth dependencies, IOptions<EngineOptions> engine,
        TimeProvider time, ILogger<GroupCommitter> logger)
    {
        _store = store;
        _transitions = new TaskTransitions(machine);
        _queues = queues;
        _postCommit = postCommit;
        _replies = replies;
        _metrics = metrics;
        _failures = failures;
        _workers = workers;
        _dependencies = dependencies;
        _maxWait = TimeSpan.FromSeconds(engine.Value.MaxWaitSeconds);
        _held = new HeldTasks(group => CommitGroupAsync(group), time);
        _logger = logger;
        _partitions = [.. Enumerable.Range(0, options.Partitions)
            .Select(_ => Channel.CreateBounded<GroupEntry>(new BoundedChannelOptions(PartitionCapacity) { SingleReader = true }))];
        _running = Task.WhenAll(_partitions.Select(partition => Task.Run(() => RunAsync(partition.Reader, heartbeats.Of(GetType())))));
    }

    /// <summary>Number of transactions so far.</summary>
    public long Groups => Interlocked.Read(ref _groups);

    /// <inheritdoc />
    public async Task<IReadOnlyList<Exception?>> CommitAsync(IReadOnlyList<TaskCommand> commands)
    {
        if (commands.Count == 0)
            return [];
        var list = new CommandList(commands.Count);
        for (var i = 0; i < commands.Count; i++)
        {
            var partition = _partitions[(uint)commands[i].CorrelationId.GetHashCode() % (uint)_partitions.Length];
            await partition.Writer.WriteAsync(new GroupEntry(commands[i], list, i));
        }

        return await list.Ends;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Accepts no further commands and commits the waiting ones.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var partition in _partitions)
            partition.Writer.TryComplete();
        // If the database does not answer, no caller was told that anything is committed.
        await _running.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _held.Drained.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc />
    public void Dispose() => _held.Dispose();

    private async Task RunAsync(ChannelReader<GroupEntry> reader, LoopHeartbeat heartbeat)
    {
        while (true)
        {
            heartbeat.Rest();
            if (!await reader.WaitToReadAsync())
                return;
            heartbeat.Beat();
            await CommitNextAsync(reader);
        }
    }

    /// <summary>A separate method, so that an idle partition retains nothing of its last group.</summary>
    private async Task CommitNextAsync(ChannelReader<GroupEntry> reader)
    {
        var group = new List<GroupEntry>();
        for (var chars = 0L; group.Count < MaxGroup && chars < MaxChars && reader.TryRead(out var entry);)
        {
            if (_held.TryQueue(entry))
                continue;
            if (Stopwatch.GetElapsedTime(entry.Came) > _maxWait)
            {
                entry.Fail(new OverloadedException($"the database took nothing for {_maxWait.TotalSeconds:0} s; nothing of this request "
                    + "was done: try again"));
                continue;
            }

            group.Add(entry);
            chars += entry.Chars;
        }

        if (group.Count > 0)
            _held.Hold(await CommitGroupAsync(group));
    }

    /// <returns>The commands of tasks that another transaction holds or has changed: nothing of them is done.</returns>
    private async Task<List<GroupEntry>> CommitGroupAsync(List<GroupEntry> group, int races = 0)
    {
        WrittenGroup written;
        try
        {
            written = await WriteGroupAsync(group);
        }
        catch (TaskIdTakenException)
        {
            group.ForEach(e => e.InsertsBlindly = false);
            return await CommitGroupAsync(group, races);
        }
        catch (Exception race) when (StorageFaults.IsRace(race) && races < MaxRaces)
        {
            return await CommitGroupAsync(group, races + 1);
        }
        catch (DedupeKeyTakenException) when (group.Count == 1)
        {
            group[0].Refuse(CommandResult.KeyTaken);
            return [];
        }
#pragma warning disable CA1031 // rethrown to the callers
        catch (Exception fault)
#pragma warning restore CA1031
        {
            // A poison row must not fail the rest of its group: halve until it stands alone. The first half goes first, so the commands of
            // one task keep their order. A lost connection or a timeout concerns no single row and fails all.
            if (group.Count == 1 || StorageFaults.IsTransient(fault))
            {
                if (!_dependencies.TryHandle(fault))
                    LogGroupFailed(fault, group.Count);
                group.ForEach(e => e.Fail(fault));
                return [];
            }

            var held = await CommitGroupAsync(group[..(group.Count / 2)]);
            var tasks = held.Select(e => e.TaskId).ToHashSet();
            held.AddRange(group.Skip(group.Count / 2).Where(e => tasks.Contains(e.TaskId))); // behind their task's first command
            held.AddRange(await CommitGroupAsync([.. group.Skip(group.Count / 2).Where(e => !tasks.Contains(e.TaskId))]));
            return held;
        }

        _dependencies.Database.ReportSuccess(isWrite: true);
        Tell(written);
        var missed = new List<GroupEntry>();
        foreach (var entry in group)
        {
            if (written.Missed.Contains(entry))
                missed.Add(entry);
            else
                entry.Release();
        }

        return missed;
    }

    /// <summary>A commit stands, whatever goes wrong here; and the partition must continue.</summary>
    private void Tell(WrittenGroup written)
    {
        try
        {
            _postCommit.Committed(written.Tasks.SelectMany(t => t.Events));
            _replies.Ended(written.Tasks);
            foreach (var failure in written.Failures)
                _failures.Add(failure);
        }
#pragma warning disable CA1031 // waiters poll a moment later
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogNotTold(fault);
        }
    }

    private async Task<WrittenGroup> WriteGroupAsync(List<GroupEntry> group)
    {
        if (group.Count == 0)
            return WrittenGroup.Nothing;
        var begun = Stopwatch.GetTimestamp();
        var queues = await _queues.AllAsync();
        await using var session = await _store.BeginAsync();
        var slots = await GroupLoad.LoadAsync(session, group, queues);
        var later = new HashSet<GroupEntry>();
        foreach (var entry in group)
        {
            var slot = slots[entry.TaskId];
            // A task waits before anything else happens to it, and one with a long error is loaded by itself.
            if ((slot.IsNew && entry.Command is not SubmitTask) || slot.Task is { IsPartial: true })
                later.Add(entry);
            else
                await entry.RunAsync(slot, _transitions);
        }

        var inserts = slots.Values.Where(s => s is { IsChanged: true, IsNew: true }).Select(s => s.Task!).ToList();
        var updates = slots.Values.Where(s => s is { IsChanged: true, IsNew: false }).Select(s => s.Task!).ToList();
        if (inserts.Count + updates.Count == 0)
            return new WrittenGroup([], later, []);
        var missed = await session.SaveAsync(inserts, updates);
        Interlocked.Increment(ref _groups);
        IReadOnlyList<TaskState> written = [.. inserts, .. updates.Where(t => missed.Count == 0 || !missed.Contains(t.CorrelationId))];
        _metrics.Committed(group.Count, Stopwatch.GetElapsedTime(begun), written);
        later.UnionWith(group.Where(e => missed.Contains(e.TaskId)));
        List<Failure>? failures = null;
        foreach (var entry in group.Where(e => !later.Contains(e))) // the others may have the result of a run before
        {
            var task = slots[entry.TaskId].Task!;
            if (entry.HasExpired)
                LeaseExpired(entry.Command, task);
            if (entry.FailureOf(task) is { } failure)
                (failures ??= []).Add(failure);
        }

        return new WrittenGroup(written, later, failures ?? []);
    }

    private void LeaseExpired(TaskCommand command, TaskState task)
    {
        _metrics.LeaseExpired(task.Queue);
        if (command.Holder is { } worker)
            _workers.Lost(worker, command.HolderCredential, isRetried: task.State is TaskStates.Pending or TaskStates.Retrying);
    }

    [LoggerMessage(LogLevel.Error, "Notifying of committed tasks failed; waiters find them by polling")]
    private partial void LogNotTold(Exception fault);

    [LoggerMessage(LogLevel.Warning, "Cannot commit a group of {Count} commands")]
    private partial void LogGroupFailed(Exception fault, int count);
}

/// <summary>Options of the group commit for a database.</summary>
/// <param name="Partitions">Number of groups that commit concurrently: 1 on SQLite, which has a single writer.</param>
internal sealed record GroupCommitOptions(int Partitions);
