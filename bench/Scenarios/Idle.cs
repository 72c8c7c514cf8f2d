namespace TaskQueue.Bench.Scenarios;

/// <summary>Pause between tasks measured one at a time, so that the servers become idle.</summary>
internal static class Idle
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    public static Task WaitAsync(CancellationToken cancellationToken) => Task.Delay(Pause, cancellationToken);
}
