namespace TaskQueue.Bench.Scenarios;

/// <summary>The pause between tasks that are measured one at a time: the servers come to rest.</summary>
internal static class Idle
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    public static Task WaitAsync(CancellationToken cancellationToken) => Task.Delay(Pause, cancellationToken);
}
