using MassTransit.Mediator;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>A batch to accept.</summary>
/// <param name="Queue">Where its tasks go.</param>
/// <param name="Tier">Level of its tasks.</param>
/// <param name="Endpoint">What processes its lines, at most 256 characters.</param>
/// <param name="InputFileId">File of its lines.</param>
/// <param name="CompletionWindow">As it is shown.</param>
/// <param name="Window">How long it may take.</param>
/// <param name="Strict">See <see cref="BatchState.Strict"/>.</param>
public sealed record NewBatch(QueueRecord Queue, int Tier, string Endpoint, string InputFileId, string CompletionWindow, TimeSpan Window,
    bool Strict)
{
    /// <summary>Who may see it; null is everybody.</summary>
    public string? Owner { get; init; }

    /// <summary>Name of the caller that made it.</summary>
    public string? Submitter { get; init; }

    /// <summary>JSON object of text pairs, or null.</summary>
    public string? Metadata { get; init; }

    /// <summary>Where every end is posted to, or null.</summary>
    public string? CallbackUrl { get; init; }
}

/// <summary>What can be done with batches. When a verb returns, its effect is committed.</summary>
public sealed class BatchService(IMediator mediator, NumberedTaskIds ids, PostCommitNotifier postCommit, TimeProvider time)
{
    /// <summary>Accepts a batch; a scheduler reads its input from then on.</summary>
    public async Task<BatchState> CreateAsync(NewBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        while (true)
        {
            var row = ToRow(batch);
            if (await ApplyAsync(new CreateBatch(row)) == CommandResult.Applied)
                return row;
            ids.DrawInstance(); // another process has made the same id
        }
    }

    /// <summary>Cancels a batch that has not ended.</summary>
    public Task<CommandResult> CancelAsync(Guid id) => ApplyAsync(new CancelBatch(id, Micros.Now(time)));

    /// <summary>Sends one command to the machine.</summary>
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
            CreatedAt = now,
            DeadlineAt = now + batch.Window,
        };
    }
}
