using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Batches;

/// <summary>Read-only queries over batches.</summary>
public interface IBatchQueries
{
    /// <summary>One batch; null where there is none that the caller may read.</summary>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    Task<BatchState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>The batch that a request created, by <see cref="BatchState.RequestKey"/>; null if there is none.</summary>
    Task<BatchState?> FindByRequestAsync(string requestKey, CancellationToken cancellationToken);

    /// <summary>The newest batch with the same input and endpoint that the caller may read; null if there is none since a time.</summary>
    Task<BatchState?> FindTwinAsync(string inputFileId, string endpoint, DateTime since, Access access,
        CancellationToken cancellationToken);

    /// <summary>What a running item of a batch says it waits for: JSON text; null if none says so.</summary>
    Task<string?> WaitingForAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>The owners of batches of a queue that have not ended, with the tiers that they use.</summary>
    Task<List<BatchLane>> LanesAsync(string queue, CancellationToken cancellationToken);

    /// <summary>A page of the batches that the caller may read, newest first.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="after">The last batch of the page before; null reads the first page.</param>
    /// <param name="max">Maximum number of batches.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <param name="queue">The queue of the batches; null is every queue.</param>
    /// <exception cref="UnreadableDataException">One of them cannot be decrypted.</exception>
    Task<List<BatchState>> ListAsync(Access access, BatchState? after, int max, CancellationToken cancellationToken, string? queue = null);

    /// <summary>The progress of each of these batches, by id.</summary>
    Task<IReadOnlyDictionary<Guid, BatchProgress>> ProgressAsync(IReadOnlyList<BatchState> batches, CancellationToken cancellationToken);

    /// <summary>Owner and state of those of the ids that are batches, in no order.</summary>
    Task<List<BatchStatus>> StatusesAsync(IReadOnlyCollection<Guid> ids);
}

/// <summary>Owner and state of a batch.</summary>
/// <param name="Id">The batch.</param>
/// <param name="Owner">Its owner; null is no owner.</param>
/// <param name="State">One of <see cref="BatchStates"/>.</param>
public sealed record BatchStatus(Guid Id, string? Owner, int State);
