using MassTransit.Mediator;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>A batch to submit.</summary>
/// <param name="Queue">Queue of its tasks.</param>
/// <param name="Tier">Tier of its tasks.</param>
/// <param name="Endpoint">Endpoint that processes its items, at most 256 characters.</param>
/// <param name="InputFileId">File with its items.</param>
/// <param name="CompletionWindow">The completion window as shown to callers.</param>
/// <param name="Window">Time from submission to the deadline.</param>
/// <param name="Strict">See <see cref="BatchState.Strict"/>.</param>
public sealed record NewBatch(QueueRecord Queue, int Tier, string Endpoint, string InputFileId, string CompletionWindow, TimeSpan Window,
    bool Strict)
{
    /// <summary>Owner; null is visible to everyone.</summary>
    public string? Owner { get; init; }

    /// <summary>Name of the caller that created it.</summary>
    public string? Submitter { get; init; }

    /// <summary>JSON object of string pairs, or null.</summary>
    public string? Metadata { get; init; }

    /// <summary>URL that receives the callback when the batch ends, or null.</summary>
    public string? CallbackUrl { get; init; }

    /// <summary>See <see cref="BatchState.OutputExpiresAfter"/>.</summary>
    public int? OutputExpiresAfter { get; init; }

    /// <summary>See <see cref="BatchState.Deduplicate"/>.</summary>
    public bool Deduplicate { get; init; }

    /// <summary>See <see cref="BatchState.RetryOf"/>.</summary>
    public Guid? RetryOf { get; init; }

    /// <summary>See <see cref="BatchState.RequestKey"/>.</summary>
    public string? RequestKey { get; init; }
}

/// <summary>Submits, cancels and advances batches. When a method returns, its effect is committed.</summary>
public sealed class BatchService(
    IMediator mediator, IBatchQueries queries, NumberedTaskIds ids, PostCommitNotifier postCommit, TimeProvider time)
{
    /// <summary>Accepts a batch; a scheduler then reads its input.</summary>
    /// <returns>The batch; the one that the same request created before, if its key is known.</returns>
    public async Task<BatchState> CreateAsync(NewBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        while (true)
        {
            if (batch.RequestKey is { } key && await queries.FindByRequestAsync(key, CancellationToken.None) is { } known)
                return known;
            var row = ToRow(batch);
            if (await ApplyAsync(new CreateBatch(row)) == CommandResult.Applied)
                return row;
            ids.DrawInstance(); // another process generated the same id
        }
    }

    /// <summary>Cancels a batch that has not ended.</summary>
    public Task<CommandResult> CancelAsync(Guid id) => ApplyAsync(new CancelBatch(id, Micros.Now(time)));

    /// <summary>Sends a command to the state machine.</summary>
    public async Task<CommandResult> ApplyAsync(BatchCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        await mediator.Send((object)command, command.GetType());
        if (command.Result == CommandResult.Applied)
            postCommit.Batches.Set();
        return command.Result;
    }

    private BatchState ToRow(NewBatch batch)
    {
        var now = Micros.Now(time);
        return new BatchState
        {
            CorrelationId = ids.New(batch.Queue.Id, batch.Tier, NumberedTaskMode.Batch).ToGuid(),
            Queue = batch.Queue.Name,
            Tier = batch.Tier,
            Endpoint = batch.Endpoint,
            CompletionWindow = batch.CompletionWindow,
            InputFileId = batch.InputFileId,
            Strict = batch.Strict,
            Owner = batch.Owner,
            Submitter = batch.Submitter,
            Metadata = batch.Metadata,
            CallbackUrl = batch.CallbackUrl,
            OutputExpiresAfter = batch.OutputExpiresAfter,
            Deduplicate = batch.Deduplicate,
            RetryOf = batch.RetryOf,
            RequestKey = batch.RequestKey,
            CreatedAt = now,
            DeadlineAt = now + batch.Window,
        };
    }
}
