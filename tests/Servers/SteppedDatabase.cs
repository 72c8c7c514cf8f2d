using TaskQueue.Engine.Clocks;

namespace TaskQueue.Tests.Servers;

/// <summary>A database server whose clock a test sets, and which fails over.</summary>
/// <param name="time">Its clock and that of round trips.</param>
/// <param name="inner">The real database; null if there is none.</param>
internal sealed class SteppedDatabase(TimeProvider time, IDatabaseTimeSource? inner = null) : IDatabaseTimeSource
{
    private long _ticks;

    public bool HasClock => true;

    public string? Server { get; set; } = "1";

    public void Step(TimeSpan step) => Interlocked.Add(ref _ticks, step.Ticks);

    public async Task<DatabaseTime> ReadAsync(CancellationToken cancellationToken)
    {
        var answer = inner is null ? new DatabaseTime(time.GetUtcNow(), null, time.GetTimestamp(), time.GetTimestamp())
            : await inner.ReadAsync(cancellationToken);
        return answer with { Now = answer.Now.AddTicks(Interlocked.Read(ref _ticks)), Server = Server };
    }
}
