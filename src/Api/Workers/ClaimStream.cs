using Grpc.Core;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Workers;

/// <summary>
/// The claim of a worker as a stream: it sends credit, and receives tasks as soon as they are due, never more than it has given credit
/// for. A worker that ends its requests, or leaves, receives no more: what was claimed for it meanwhile is given back.
/// </summary>
internal sealed class ClaimStream(WorkerCalls calls, StreamQuota streams, Drain drain, TimeProvider time, HttpContext context,
    IAsyncStreamReader<Wire.ClaimRequest> requests, IServerStreamWriter<Wire.ClaimAnswer> answers) : IDisposable
{
    private const double DefaultWaitSeconds = 20;

    /// <summary>Bytes of a message with several tasks: clients refuse those above 4 MiB unless they are told to accept them.</summary>
    private const long MessageBytes = 1024 * 1024;

    /// <summary>Longest wait for the first message.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly CancellationToken _left = context.RequestAborted;
    private readonly CancellationTokenSource _over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
    private readonly SemaphoreSlim _granted = new(0);
    private readonly ClaimAnswers _answers = new(context, answers, time);
    private int _credit;

    public void Dispose()
    {
        _over.Dispose();
        _granted.Dispose();
    }

    public async Task ServeAsync()
    {
        var body = WorkerWire.ToBody(await FirstAsync());
        var access = context.Access();
        var request = WorkerCalls.ToClaim(body, access, WorkerContact.Grpc);
        var wait = TimeSpan.FromSeconds(WorkerCalls.Within(
            body.WaitSeconds ?? DefaultWaitSeconds, 1, WorkerCalls.MaxWaitSeconds, "wait_seconds"));
        Grant(requests.Current.Credit, least: 0);
        await calls.DemandAsync(context, request);
        using var counted = streams.Open(access.Tenant);
        var reading = ReadAsync();
        try
        {
            await ServeAsync(request, wait, access);
        }
        finally
        {
            await _over.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (!_left.IsCancellationRequested)
            await reading; // a message that cannot be obeyed is an error
    }

    private async Task<Wire.ClaimRequest> FirstAsync()
    {
        using var late = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_left, late.Token);
        try
        {
            return await requests.MoveNext(either.Token) ? requests.Current
                : throw WorkerCalls.Wrong("the first message must name queues and worker");
        }
        catch (OperationCanceledException) when (!_left.IsCancellationRequested)
        {
            throw new ApiException(408, "too_slow", $"send the first message within {Patience.TotalSeconds} s");
        }
    }

    private async Task ServeAsync(ClaimRequest request, TimeSpan wait, Access access)
    {
        // The first answer comes at once: the worker knows then that it is connected, and that claims succeed. Of a process that stops it
        // is the last one: the worker must not claim in a loop.
        var begin = time.GetTimestamp();
        for (var longest = drain.HasBegun ? wait : TimeSpan.Zero; await WaitForCreditAsync(longest); longest = wait)
        {
            bool isDraining;
            var left = longest - time.GetElapsedTime(begin);
            using (var memory = new ClaimMemory())
            {
                var credit = Math.Min(Volatile.Read(ref _credit), WorkerCalls.MaxEntries);
                (var tasks, isDraining) = await TakeAsync(
                    request with { Max = credit }, left > TimeSpan.Zero ? left : TimeSpan.Zero, wait, memory);
                await DeliverAsync(tasks, memory, access);
                if ((tasks.Count == 0 || isDraining) && !_over.IsCancellationRequested)
                    await _answers.WriteAsync(new Wire.ClaimAnswer { Drain = isDraining }, size: 0);
            }

            if (isDraining || drain.HasBegun || !context.IsKeyValid(request.Targets.Select(t => t.Queue)))
                return; // it calls again, here or elsewhere, and gets to know why if it cannot
            await calls.DemandAsync(context, request);
            begin = time.GetTimestamp();
        }
    }

    /// <summary>Waits until there is credit, but no longer than the worker may hear nothing.</summary>
    /// <returns>False if the worker takes no more.</returns>
    private async Task<bool> WaitForCreditAsync(TimeSpan wait)
    {
        if (Volatile.Read(ref _credit) > 0 || _over.IsCancellationRequested)
            return !_over.IsCancellationRequested;
        using var leave = drain.EndWait(_over.Token);
        using var late = new CancellationTokenSource(drain.Shorten(wait), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, leave.Token);
        while (Volatile.Read(ref _credit) == 0 && !either.IsCancellationRequested)
            await _granted.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !_over.IsCancellationRequested;
    }

    /// <summary>Takes no more than a message has, so that no task waits for the others to be sent.</summary>
    private async Task<(IReadOnlyList<TaskState> Tasks, bool IsDraining)> TakeAsync(
        ClaimRequest request, TimeSpan longest, TimeSpan rest, ClaimMemory memory)
    {
        try
        {
            return await calls.ClaimAsync(request with { MaxBytes = MessageBytes }, longest, rest, memory.Add, _over.Token);
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            return ([], false);
        }
    }

    private async Task DeliverAsync(IReadOnlyList<TaskState> tasks, ClaimMemory memory, Access access)
    {
        var sent = 0;
        try
        {
            while (sent < tasks.Count && !_over.IsCancellationRequested)
            {
                var answer = new Wire.ClaimAnswer();
                for (var bytes = 0L; sent + answer.Tasks.Count < tasks.Count && bytes < MessageBytes;)
                {
                    var task = WorkerWire.ToTask(tasks[sent + answer.Tasks.Count]);
                    bytes += task.CalculateSize();
                    if (answer.Tasks.Count > 0 && bytes > MessageBytes)
                        break;
                    answer.Tasks.Add(task);
                }

                var size = answer.CalculateSize();
                memory.AddMessage(size);
                Interlocked.Add(ref _credit, -answer.Tasks.Count);
                await _answers.WriteAsync(answer, size);
                if (_left.IsCancellationRequested)
                    break;
                sent += answer.Tasks.Count;
            }
        }
        finally
        {
            // Also those of a message that could not be written: their worker is gone.
            if (sent < tasks.Count)
                await calls.GiveBackAsync(tasks.Skip(sent), access);
        }
    }

    /// <summary>Reads credit until the worker gives no more.</summary>
    private async Task ReadAsync()
    {
        try
        {
            while (await requests.MoveNext(_over.Token))
                Grant(requests.Current.Credit, least: 1); // so the tasks that it can have bound what it can send
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException
            || (fault is OperationCanceledException && _over.IsCancellationRequested))
        {
            // The worker has left, or the call ends.
        }
        finally
        {
            await _over.CancelAsync();
        }
    }

    private void Grant(int credit, int least)
    {
        if (credit < least || credit > WorkerCalls.MaxEntries || Interlocked.Add(ref _credit, credit) > WorkerCalls.MaxEntries)
            throw WorkerCalls.Wrong($"credit must be {least} to {WorkerCalls.MaxEntries}, together with what is left of it");
        if (credit > 0 && _granted.CurrentCount == 0)
            _granted.Release();
    }

    /// <summary>The memory reserved for tasks, and for the message that they are sent in.</summary>
    private sealed class ClaimMemory : IDisposable
    {
        private MemoryLease? _lease;
        private long _tasks;

        public void Add(MemoryLease lease) => (_lease, _tasks) = (lease, lease.Bytes);

        /// <summary>
        /// Counts a message, if there is room: its tasks are in memory as texts and as bytes meanwhile. Who holds tasks must not wait for
        /// memory.
        /// </summary>
        public void AddMessage(int bytes) => _lease?.TryGrow(_tasks + bytes);

        public void Dispose() => _lease?.Dispose();
    }
}
