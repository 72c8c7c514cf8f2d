namespace TaskQueue.Engine.Tasks;

/// <summary>Holds the right to dispatch the outbox.</summary>
public interface IOutboxLease : IAsyncDisposable
{
    /// <summary>Ends when the right is lost.</summary>
    Task Lost { get; }
}
