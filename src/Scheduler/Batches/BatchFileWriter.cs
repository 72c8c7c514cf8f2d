using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Quarantine;

namespace TaskQueue.Scheduler.Batches;

/// <summary>Writes the output and error files of a batch whose tasks have all ended, in constant memory.</summary>
internal sealed class BatchFileWriter(IBatchStore batchStore, FileService files, IQuarantine quarantine, IOptions<BatchLimits> limits,
    IOptions<EngineOptions> engine)
{
    /// <summary>Writes both files; an empty file is not created.</summary>
    public async Task<BatchFiles> WriteAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var id = BatchId.Format(batch.CorrelationId);
        await using var output = new LineFile(() => files.OpenWriteAsync(batch.Owner, "batch_output", $"output_{id}.jsonl"));
        await using var errors = new LineFile(() => files.OpenWriteAsync(batch.Owner, "batch_output", $"errors_{id}.jsonl"));
        await foreach (var ended in batchStore.EndedAsync(batch.CorrelationId, cancellationToken))
        {
            var (text, isError) = await RenderAsync(batch, ended, cancellationToken);
            await (isError ? errors : output).AddAsync(text, cancellationToken);
        }

        await foreach (var bad in batchStore.BadAsync(batch.CorrelationId, cancellationToken))
            await errors.AddAsync(BatchResults.Of(bad), cancellationToken);
        await WriteRestAsync(batch, errors, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        var outputId = await output.CommitAsync();
        try
        {
            return new BatchFiles(outputId, output.Lines, await errors.CommitAsync(), errors.Lines);
        }
        catch when (outputId is not null)
        {
            await files.DeleteAsync(outputId, Access.All);
            throw;
        }
    }

    /// <summary>Renders the line of a task. An unreadable row becomes an error line and is quarantined.</summary>
    private async Task<(byte[] Text, bool IsError)> RenderAsync(BatchState batch, EndedBatchItem ended, CancellationToken cancellationToken)
    {
        try
        {
            return BatchResults.Of(batch, ended);
        }
        catch (Exception fault) when (StorageFaults.IsOfRow(fault))
        {
            await quarantine.AddAsync(new QuarantinedItem
            {
                Kind = QuarantineKinds.BatchItem, Subject = ended.Id.ToString(), Queue = batch.Queue, Owner = batch.Owner,
                Reason = $"line of {BatchId.Format(batch.CorrelationId)}: {PoisonRules.Reason(fault)}",
            }, cancellationToken);
            return (BatchResults.OfUnreadable(ended.Id), true);
        }
    }

    /// <summary>Writes lines that had not become tasks when the batch was cancelled or expired, if the input still exists.</summary>
    private async Task WriteRestAsync(BatchState batch, LineFile errors, CancellationToken cancellationToken)
    {
        if (batch.InProgressAt is not null && batch.LinesDone >= batch.Total)
            return;
        await using var content = await BatchInput.OpenAsync(files, batch.InputFileId, cancellationToken);
        if (content is null)
            return;
        var line = batch.LinesDone;
        await foreach (var text in BatchInput.ReadAsync(content, batch.BytesDone, engine.Value.MaxPayloadBytes, cancellationToken))
        {
            if (line == limits.Value.MaxLines)
                break; // validation did not get to reject the excess lines
            await errors.AddAsync(BatchResults.OfRest(batch, BatchItem.Parse(text.Text, batch, engine.Value.MaxPayloadBytes), line++),
                cancellationToken);
        }
    }

    /// <summary>A file created with its first line.</summary>
    private sealed class LineFile(Func<Task<FileWriter>> open) : IAsyncDisposable
    {
        private const int Buffer = 256 * 1024;

        private readonly MemoryStream _waiting = new();
        private FileWriter? _file;

        public int Lines { get; private set; }

        public async ValueTask AddAsync(ReadOnlyMemory<byte> line, CancellationToken cancellationToken)
        {
            _waiting.Write(line.Span);
            _waiting.WriteByte((byte)'\n');
            Lines++;
            if (_waiting.Length >= Buffer)
                await FlushAsync(cancellationToken);
        }

        /// <returns>The file's id, or null if it has no lines.</returns>
        public async Task<string?> CommitAsync()
        {
            if (Lines == 0)
                return null;
            await FlushAsync(CancellationToken.None);
            return (await _file!.CommitAsync()).Id;
        }

        public async ValueTask DisposeAsync()
        {
            if (_file is not null)
                await _file.DisposeAsync();
            await _waiting.DisposeAsync();
        }

        private async Task FlushAsync(CancellationToken cancellationToken)
        {
            _file ??= await open();
            await _file.Stream.WriteAsync(_waiting.GetBuffer().AsMemory(0, (int)_waiting.Length), cancellationToken);
            _waiting.SetLength(0);
        }
    }
}
