namespace TaskQueue.Client;

/// <summary>Renews the leases of held tasks every third of the shortest lease, and sends progress.</summary>
internal sealed class Heartbeats(InFlightAttempts attempts, IWorkerTransport transport, TimeProvider time)
{
    /// <summary>The period while no task is held.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private const int MaxEntries = 1000;

    /// <summary>Characters of log lines in a request, so that logs make no heartbeat too large.</summary>
    private const int MaxLogChars = 256 * 1024;

    private long _beatAt;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _beatAt = time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            var due = Period() - time.GetElapsedTime(_beatAt);
            if (due > TimeSpan.Zero)
                await Quietly(attempts.Progress.WaitAsync(due, time, cancellationToken));
            var all = time.GetElapsedTime(_beatAt) >= Period();
            if (all)
                _beatAt = time.GetTimestamp();
            await BeatAsync(all, cancellationToken);
        }
    }

    /// <summary>A third of the shortest lease.</summary>
    private TimeSpan Period()
    {
        var third = attempts.All.Select(a => a.Item.Lease / 3).DefaultIfEmpty(Longest).Min();
        return third < Shortest ? Shortest : third;
    }

    private async Task BeatAsync(bool all, CancellationToken cancellationToken)
    {
        var taken = attempts.All.Where(a => transport.HasLease(a))
            .Select(a => (Attempt: a, Progress: a.TakeProgress(), Log: all || a.HasUrgentLog ? a.TakeLog() : null))
            .Where(t => all || t.Progress.Json is not null || t.Log is not null).ToList();
        var some = new List<(Attempt, (string?, TaskCompletionSource?), IReadOnlyList<LogEntry>?)>();
        var logged = 0;
        foreach (var beat in taken)
        {
            var bytes = beat.Log?.Sum(l => l.Message.Length) ?? 0;
            if (some.Count == MaxEntries || (some.Count > 0 && logged + bytes > MaxLogChars))
            {
                await BeatAsync([.. some], cancellationToken);
                some.Clear();
                logged = 0;
            }

            some.Add(beat);
            logged += bytes;
        }

        if (some.Count > 0)
            await BeatAsync([.. some], cancellationToken);
    }

    private async Task BeatAsync(
        (Attempt Attempt, (string? Json, TaskCompletionSource? Told) Progress, IReadOnlyList<LogEntry>? Log)[] taken,
        CancellationToken cancellationToken)
    {
        try
        {
            using var patience = new CancellationTokenSource(Patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            await transport.HeartbeatAsync([.. taken.Select(t => new Heartbeat(t.Attempt, t.Progress.Json, t.Log))], either.Token);
            attempts.Outages?.Succeeded();
        }
#pragma warning disable CA1031 // the next one follows soon; a lease survives one failed heartbeat
        catch (Exception fault)
#pragma warning restore CA1031
        {
            foreach (var (attempt, progress, log) in taken)
            {
                attempt.PutBack(progress.Json);
                if (fault is not TaskQueueException { Status: 400 or 413 or 422 }) // refused lines must not fail the next heartbeat too
                    attempt.PutBackLog(log);
            }

            if (!cancellationToken.IsCancellationRequested)
                attempts.Outages?.Failed($"the heartbeat of {taken.Length} tasks failed: {fault.Message}");
        }
        finally
        {
            foreach (var (_, progress, _) in taken)
                progress.Told?.TrySetResult();
        }
    }

    private static async Task Quietly(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
