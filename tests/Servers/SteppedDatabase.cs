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

    /// <summary>Whether it does not answer.</summary>
    public bool IsAway { get; set; }

    /// <summary>How many questions it has not answered.</summary>
    public int Unanswered { get; private set; }

    public void Step(TimeSpan step) => Interlocked.Add(ref _ticks, step.Ticks);

    public async Task<DatabaseTime> ReadAsync(CancellationToken cancellationToken)
    {
        if (IsAway)
        {
            Unanswered++;
            throw new TimeoutException("the database does not answer");
        }

        var answer = inner is null ? new DatabaseTime(time.GetUtcNow(), null, time.GetTimestamp(), time.GetTimestamp())
            : await inner.ReadAsync(cancellationToken);
        return answer with { Now = answer.Now.AddTicks(Interlocked.Read(ref _ticks)), Server = Server };
    }
}
