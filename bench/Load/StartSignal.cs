using System.Diagnostics;

namespace TaskQueue.Bench.Load;

/// <summary>Start of a handler: stopwatch timestamp and wall-clock time.</summary>
internal sealed record Start(long Timestamp, DateTimeOffset Time);

/// <summary>A bus worker that reports the start of its handler, for tasks sent one at a time.</summary>
internal sealed class StartSignal : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private BusWorker? _worker;
    private TaskCompletionSource<Start> _next = new();

    public static async Task<StartSignal> ListenAsync(BenchRun run)
    {
        var signal = new StartSignal();
        signal._worker = await BusWorker.StartAsync(
            run.Options.RabbitMq, _ =>
                Volatile.Read(ref signal._next).TrySetResult(new Start(Stopwatch.GetTimestamp(), TimeProvider.System.GetUtcNow())));
        return signal;
    }

    /// <summary>Waits for the next start; call it before submitting the task.</summary>
    public Task<Start> NextAsync()
    {
        var next = new TaskCompletionSource<Start>(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _next, next);
        return next.Task.WaitAsync(Deadline);
    }

    public async ValueTask DisposeAsync()
    {
        if (_worker is not null)
            await _worker.DisposeAsync();
    }
}
