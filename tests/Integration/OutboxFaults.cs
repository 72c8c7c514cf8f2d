using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using TaskQueue.Client;

namespace TaskQueue.Tests.Integration;

/// <summary>The connection to the application's database broke.</summary>
internal sealed class LostException(string message) : Exception(message);

/// <summary>Like a provider's own strategy for lost connections, without its long pauses.</summary>
internal sealed class RetriesLost(ExecutionStrategyDependencies dependencies)
    : ExecutionStrategy(dependencies, maxRetryCount: 3, maxRetryDelay: TimeSpan.FromMilliseconds(20))
{
    protected override bool ShouldRetryOn(Exception exception) => exception is LostException;
}

/// <summary>Breaks the connection while transactions commit.</summary>
internal sealed class BrokenCommits : DbTransactionInterceptor
{
    /// <summary>How many commits do not happen.</summary>
    public int Before { get; set; }

    /// <summary>How many commits happen, and the program does not learn of it.</summary>
    public int After { get; set; }

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
        CancellationToken cancellationToken = default) =>
        Before-- > 0 ? throw new LostException("before the commit") : ValueTask.FromResult(result);

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) =>
        After-- > 0 ? throw new LostException("after the commit") : Task.CompletedTask;
}

/// <summary>Breaks the connection once, after a statement that leases rows was executed.</summary>
internal sealed class LostLeases : DbCommandInterceptor
{
    private int _lost;

    public bool HasLost => _lost > 0;

    public override ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default) =>
        result > 0 && command.CommandText.Contains("locked_by", StringComparison.Ordinal) && Interlocked.Exchange(ref _lost, 1) == 0
            ? throw new LostException("after the lease") : ValueTask.FromResult(result);
}

/// <summary>When a process with a relay dies.</summary>
public enum Death
{
    BeforeSend,
    MidBatch,
    AfterSend,
    WhileDeleting,
}

/// <summary>A process that dies in the middle of a batch: from then on it sends nothing and changes nothing in its database.</summary>
internal sealed class DyingProcess(Death at) : DbCommandInterceptor
{
    private volatile bool _isDead;

    public bool IsDead => _isDead;

    public ITaskProducer Producer(ITaskProducer producer) => new DyingProducer(this, producer);

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (at == Death.WhileDeleting && command.CommandText.TrimStart().StartsWith("DELETE", StringComparison.OrdinalIgnoreCase))
            _isDead = true;
        DemandLife();
        return ValueTask.FromResult(result);
    }

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result,
        CancellationToken cancellationToken = default)
    {
        DemandLife();
        return ValueTask.FromResult(result);
    }

    private void Die(Death now)
    {
        if (at == now)
            _isDead = true;
        DemandLife();
    }

    private void DemandLife()
    {
        if (_isDead)
            throw new InvalidOperationException("the process is dead");
    }

    private sealed class DyingProducer(DyingProcess process, ITaskProducer producer) : OutboxProducer
    {
        protected override async Task<IReadOnlyList<EnqueuedTask>> SendAsync(List<NewTask> tasks, CancellationToken cancellationToken)
        {
            process.Die(Death.BeforeSend);
            var first = await producer.EnqueueManyAsync(tasks.Take(tasks.Count / 2), cancellationToken);
            process.Die(Death.MidBatch);
            var second = await producer.EnqueueManyAsync(tasks.Skip(tasks.Count / 2), cancellationToken);
            process.Die(Death.AfterSend);
            return [.. first, .. second];
        }
    }
}

/// <summary>A producer of which a test changes what it does with a batch.</summary>
internal abstract class OutboxProducer : ITaskProducer
{
    public async Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancellationToken = default) =>
        (await SendAsync([task], cancellationToken))[0];

    public Task<IReadOnlyList<EnqueuedTask>> EnqueueManyAsync(
        IEnumerable<NewTask> tasks, CancellationToken cancellationToken = default) => SendAsync([.. tasks], cancellationToken);

    protected abstract Task<IReadOnlyList<EnqueuedTask>> SendAsync(List<NewTask> tasks, CancellationToken cancellationToken);
}

/// <summary>A place where several wait for each other.</summary>
internal sealed class Meeting(int left)
{
    private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = left;

    public Task ArriveAsync()
    {
        if (Interlocked.Decrement(ref _left) == 0)
            _all.SetResult();
        return _all.Task;
    }
}

/// <summary>Begins its first send when the others of a meeting begin theirs, so that all have leased rows.</summary>
internal sealed class MeetingProducer(ITaskProducer producer, Meeting meeting) : OutboxProducer
{
    private bool _hasMet;

    protected override async Task<IReadOnlyList<EnqueuedTask>> SendAsync(List<NewTask> tasks, CancellationToken cancellationToken)
    {
        if (!_hasMet)
        {
            _hasMet = true;
            await meeting.ArriveAsync().WaitAsync(cancellationToken);
        }

        return await producer.EnqueueManyAsync(tasks, cancellationToken);
    }
}

/// <summary>Remembers what it sends, and can be without a server.</summary>
internal sealed class WatchedProducer(ITaskProducer producer) : OutboxProducer
{
    private readonly List<Guid> _sent = [];

    /// <summary>Thrown instead of sending.</summary>
    public Exception? Outage { get; set; }

    public List<Guid> Sent
    {
        get
        {
            lock (_sent)
                return [.. _sent];
        }
    }

    protected override async Task<IReadOnlyList<EnqueuedTask>> SendAsync(List<NewTask> tasks, CancellationToken cancellationToken)
    {
        if (Outage is { } outage)
            throw outage;
        var answers = await producer.EnqueueManyAsync(tasks, cancellationToken);
        lock (_sent)
            _sent.AddRange(tasks.Select(t => t.Id));
        return answers;
    }
}
