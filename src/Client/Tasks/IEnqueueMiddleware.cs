namespace TaskQueue.Client;

/// <summary>
/// Changes tasks before a producer of this program enqueues them, over HTTP or RabbitMQ: for tags, keys or data that all tasks have.
/// Register it as a singleton: <c>services.AddSingleton&lt;IEnqueueMiddleware, TenantTags&gt;()</c>. All that are registered run, in this
/// order, before the codec.
/// </summary>
/// <remarks>
/// Tasks of an outbox pass it when the relay sends them: in the background, without the request that enqueued them, and again whenever
/// sending is repeated.
/// </remarks>
public interface IEnqueueMiddleware
{
    /// <summary>Called once a task, whether or not its request is repeated.</summary>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">That of the caller.</param>
    /// <returns>The task to enqueue: the same one, or a copy with changes.</returns>
    /// <exception cref="Exception">Any exception reaches the caller; nothing of its request is enqueued.</exception>
    ValueTask<NewTask> BeforeEnqueueAsync(NewTask task, CancellationToken cancellationToken);
}

/// <summary>What producers do with each task before it is sent.</summary>
/// <param name="middleware">In order.</param>
/// <param name="metrics">Metrics.</param>
internal sealed class EnqueuePipeline(IEnumerable<IEnqueueMiddleware> middleware, ClientMetrics metrics)
{
    private readonly IEnqueueMiddleware[] _middleware = [.. middleware];

    public ClientMetrics Metrics { get; } = metrics;

    public async ValueTask<NewTask> PrepareAsync(NewTask task, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(task);
        foreach (var one in _middleware)
        {
            task = await one.BeforeEnqueueAsync(task, cancellationToken)
                ?? throw new InvalidOperationException($"{one.GetType()}.BeforeEnqueueAsync returned null");
        }

        return task;
    }
}
