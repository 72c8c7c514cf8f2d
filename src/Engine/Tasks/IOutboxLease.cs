namespace TaskQueue.Engine.Tasks;

/// <summary>The lease of the one outbox dispatcher of the database.</summary>
public interface IOutboxLease : IAsyncDisposable
{
    /// <summary>Completes when the lease is lost.</summary>
    Task Lost { get; }
}
