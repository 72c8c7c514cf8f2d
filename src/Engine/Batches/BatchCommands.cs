using MassTransit;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// An event of the batch state machine. It is sent through the in-process mediator, so <see cref="Result"/> is set when the send returns,
/// which is after the commit.
/// </summary>
/// <param name="batchId">The batch.</param>
/// <param name="at">Time of the event; the state machine uses no other clock.</param>
public abstract class BatchCommand(Guid batchId, DateTime at) : CorrelatedBy<Guid>
{
    /// <inheritdoc />
    public Guid CorrelationId { get; } = batchId;

    /// <summary>Time of the event, UTC.</summary>
    public DateTime At { get; } = at;

    /// <summary>Set by the state machine.</summary>
    public CommandResult Result { get; set; } = CommandResult.NotFound;
}

/// <summary>Accepts a batch.</summary>
public sealed class CreateBatch(BatchState batch) : BatchCommand(batch.CorrelationId, batch.CreatedAt)
{
    /// <summary>The row to insert.</summary>
    public BatchState Batch { get; } = batch;
}

/// <summary>The input was read to its end and is valid.</summary>
public sealed class BeginBatch(Guid batchId, DateTime at, int total, int badLines, string? model = null) : BatchCommand(batchId, at)
{
    /// <summary>The model that the first item names, or null.</summary>
    public string? Model { get; } = model;

    /// <summary>Number of batch items; blank lines do not count.</summary>
    public int Total { get; } = total;

    /// <summary>Number of batch items that are invalid.</summary>
    public int BadLines { get; } = badLines;
}

/// <summary>The input is invalid.</summary>
public sealed class RefuseBatch(Guid batchId, DateTime at, string errors) : BatchCommand(batchId, at)
{
    /// <summary>JSON list of input errors.</summary>
    public string Errors { get; } = errors;
}

/// <summary>Cancels the batch.</summary>
public sealed class CancelBatch(Guid batchId, DateTime at) : BatchCommand(batchId, at);

/// <summary>The deadline of the batch has passed.</summary>
public sealed class ExpireBatch(Guid batchId, DateTime at) : BatchCommand(batchId, at);

/// <summary>No task of the batch waits or runs, and none will be added.</summary>
public sealed class FinalizeBatch(Guid batchId, DateTime at) : BatchCommand(batchId, at);

/// <summary>The files of the batch are written.</summary>
public sealed class FinishBatch(Guid batchId, DateTime at, BatchFiles files) : BatchCommand(batchId, at)
{
    /// <summary>The written files.</summary>
    public BatchFiles Files { get; } = files;
}

/// <summary>The files of a batch that has ended.</summary>
/// <param name="OutputFileId">Results file, or null if there is none.</param>
/// <param name="Completed">Number of items in the results file.</param>
/// <param name="ErrorFileId">Error file, or null if there is none.</param>
/// <param name="Failed">Number of items in the error file.</param>
public sealed record BatchFiles(string? OutputFileId, int Completed, string? ErrorFileId, int Failed)
{
    /// <summary>Number of items in the error file that the batch did not wait for; they do not count as failed.</summary>
    public int Unfinished { get; init; }

    /// <summary>JSON of <see cref="BatchUsage"/>, or null.</summary>
    public string? Usage { get; init; }
}
