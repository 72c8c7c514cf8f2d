using System.Diagnostics.CodeAnalysis;

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

    /// <summary>Pause after a failed heartbeat with a checkpoint, whose handler waits until it has arrived.</summary>
    private static readonly TimeSpan Repeat = TimeSpan.FromSeconds(1);

    private long _beatAt;
    private bool _isAwaited;

    /// <summary>Since when this heartbeat looks for what was refused; null if nothing was.</summary>
    private long? _narrowingSince;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _beatAt = time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            var due = Period() - time.GetElapsedTime(_beatAt);
            if (_isAwaited && due > Repeat)
                due = Repeat;
            _isAwaited = false;
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
        _narrowingSince = null;
        var taken = attempts.All.Where(a => transport.HasLease(a))
            .Select(a => new Beat(a, a.TakeProgress(), all || a.HasUrgentLog ? a.TakeLog() : null))
            .Where(b => all || b.HasContent).ToList();
        var some = new List<Beat>();
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

    /// <summary>
    /// Sends heartbeats. If the server refuses what one of them says, no lease may end for that: all are renewed without it first.
    /// </summary>
    private async Task BeatAsync(Beat[] beats, CancellationToken cancellationToken)
    {
        var fault = await SendAsync(beats, cancellationToken);
        Beat[] refused = fault is null ? [.. beats.Where(b => b.Refusal is not null)] : IsOfContent(fault) ? beats : [];
        Beat[] says = [.. refused.Where(b => b.HasContent)];
        if (says.Length == 0)
        {
            Settle(beats, fault, cancellationToken);
            return;
        }

        if (fault is null)
            Settle([.. beats.Where(b => b.Refusal is null)], null, cancellationToken);
        var renewed = await SendAsync([.. refused.Select(b => new Beat(b.Attempt, null, null))], cancellationToken);
        if (renewed is not null)
        {
            Settle(refused, renewed, cancellationToken);
            return;
        }

        _narrowingSince ??= time.GetTimestamp();
        if (fault is not null)
            await NarrowAsync(says, fault, cancellationToken);
        else
            await GiveUpAsync(says, cancellationToken);
    }

    /// <summary>Gives up what the server has refused of single ones.</summary>
    private async Task GiveUpAsync(Beat[] refused, CancellationToken cancellationToken)
    {
        foreach (var one in refused)
        {
            if (IsLate)
                PutBack([one], withLog: true);
            else
                await NarrowAsync([one], one.Refusal!, cancellationToken);
        }
    }

    /// <summary>Whether the leases have to be renewed before more is tried.</summary>
    private bool IsLate => _narrowingSince is { } since && time.GetElapsedTime(since) >= Period();

    /// <summary>
    /// Halves what was refused together until what is refused stands alone, and gives that up. It has a third of the shortest lease for it;
    /// the rest waits for the next heartbeat, which renews the leases before.
    /// </summary>
    private async Task NarrowAsync(Beat[] refused, Exception fault, CancellationToken cancellationToken)
    {
        if (refused is [{ Progress: not null, Log: not null } both])
        {
            await SendOrNarrowAsync([both with { Log = null }], cancellationToken);
        }
        else if (refused is [var one])
        {
            one.Progress?.Refuse(fault);
        }
        else
        {
            var middle = refused.Length / 2;
            foreach (var half in new[] { refused[..middle], refused[middle..] })
            {
                if (IsLate)
                    PutBack(half, withLog: true);
                else
                    await SendOrNarrowAsync(half, cancellationToken);
            }
        }
    }

    private async Task SendOrNarrowAsync(Beat[] part, CancellationToken cancellationToken)
    {
        var fault = await SendAsync(part, cancellationToken);
        if (IsOfContent(fault))
        {
            await NarrowAsync(part, fault, cancellationToken);
            return;
        }

        var refused = part.ToLookup(b => fault is null && b.Refusal is not null);
        Settle([.. refused[false]], fault, cancellationToken);
        await GiveUpAsync([.. refused[true]], cancellationToken);
    }

    private static bool IsOfContent([NotNullWhen(true)] Exception? fault) => fault is TaskQueueException { Status: 400 or 413 or 422 };

    /// <returns>Why it failed; null if it arrived.</returns>
    private async Task<Exception?> SendAsync(Beat[] beats, CancellationToken cancellationToken)
    {
        try
        {
            using var patience = new CancellationTokenSource(Patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            Heartbeat[] sent = [.. beats.Select(b => new Heartbeat(b.Attempt, b.Progress?.Json, b.Log))];
            await transport.HeartbeatAsync(sent, either.Token);
            for (var i = 0; i < sent.Length; i++)
                beats[i].Refusal = sent[i].Refusal;
            return null;
        }
#pragma warning disable CA1031 // the next one follows soon; a lease survives one failed heartbeat
        catch (Exception fault)
#pragma warning restore CA1031
        {
            return fault;
        }
    }

    private void Settle(Beat[] beats, Exception? fault, CancellationToken cancellationToken)
    {
        if (fault is null)
            attempts.Outages?.Succeeded();
        else if (!cancellationToken.IsCancellationRequested)
            attempts.Outages?.Failed($"the heartbeat of {beats.Length} tasks failed: {fault.Message}");
        if (fault is not null)
            PutBack(beats, withLog: !IsOfContent(fault)); // refused lines must not fail the next heartbeat too
        else
            Tell(beats, arrived: true);
    }

    /// <summary>Keeps what did not arrive for the next heartbeat.</summary>
    private void PutBack(Beat[] beats, bool withLog)
    {
        foreach (var (attempt, progress, log) in beats)
        {
            _isAwaited |= progress is { IsAwaited: true };
            if (progress is not null)
                attempt.PutBack(progress);
            if (withLog)
                attempt.PutBackLog(log);
        }

        Tell(beats, arrived: false);
    }

    private static void Tell(Beat[] beats, bool arrived)
    {
        foreach (var (attempt, progress, _) in beats)
        {
            if (attempt.IsLost)
                progress?.End(); // the server has refused it
            else
                progress?.Sent(arrived);
        }
    }

    /// <summary>A heartbeat of an attempt with what it has to say.</summary>
    private sealed record Beat(Attempt Attempt, PendingProgress? Progress, IReadOnlyList<LogEntry>? Log)
    {
        /// <summary>Why the server has refused this one alone.</summary>
        public TaskQueueException? Refusal { get; set; }

        public bool HasContent => Progress is not null || Log is not null;
    }

    private static async Task Quietly(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
