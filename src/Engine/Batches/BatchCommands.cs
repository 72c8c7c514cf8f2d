using MassTransit;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// An event of the batch machine. It goes through the in-process mediator, so the sender reads <see cref="Result"/> when the
/// send returns, which is after the commit.
/// </summary>
/// <param name="batchId">The batch.</param>
/// <param name="at">The time of the event: the machine knows no other clock.</param>
public abstract class BatchCommand(Guid batchId, DateTime at) : CorrelatedBy<Guid>
{
    /// <inheritdoc />
    public Guid CorrelationId { get; } = batchId;

    /// <summary>The time of the event, UTC.</summary>
    public DateTime At { get; } = at;

    /// <summary>Set by the machine.</summary>
    public CommandResult Result { get; set; } = CommandResult.NotFound;
}

/// <summary>Accept a batch.</summary>
public sealed class CreateBatch(BatchState batch) : BatchCommand(batch.CorrelationId, batch.CreatedAt)
{
    /// <summary>The row to insert.</summary>
    public BatchState Batch { get; } = batch;
}

/// <summary>The input was read to its end and can be run.</summary>
public sealed class BeginBatch(Guid batchId, DateTime at, int total, int badLines) : BatchCommand(batchId, at)
{
    /// <summary>Lines that are not blank.</summary>
    public int Total { get; } = total;

    /// <summary>Those among them that cannot be run.</summary>
    public int BadLines { get; } = badLines;
}

/// <summary>The input cannot be run.</summary>
public sealed class RefuseBatch(Guid batchId, DateTime at, string errors) : BatchCommand(batchId, at)
{
    /// <summary>JSON list of what is wrong.</summary>
    public string Errors { get; } = errors;
}

/// <summary>Somebody cancels the batch.</summary>
public sealed class CancelBatch(Guid batchId, DateTime at) : BatchCommand(batchId, at);

/// <summary>The scheduler found the deadline in the past.</summary>
public sealed class ExpireBatch(Guid batchId, DateTime at) : BatchCommand(batchId, at);

/// <summary>No task of the batch waits or runs, and none will come.</summary>
public sealed class FinalizeBatch(Guid batchId, DateTime at) : BatchCommand(batchId, at);

/// <summary>The files of the batch are written.</summary>
public sealed class FinishBatch(Guid batchId, DateTime at, BatchFiles files) : BatchCommand(batchId, at)
{
    /// <summary>What was written.</summary>
    public BatchFiles Files { get; } = files;
}

/// <summary>The files that a batch ends with.</summary>
/// <param name="OutputFileId">Of results, or null where there is none.</param>
/// <param name="Completed">Lines in it.</param>
/// <param name="ErrorFileId">Of errors, or null where there is none.</param>
/// <param name="Failed">Lines in it.</param>
public sealed record BatchFiles(string? OutputFileId, int Completed, string? ErrorFileId, int Failed);
