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
    IOptions<EngineOptions> engine, IOptions<FileStoreOptions> store)
{
    /// <summary>Writes both files; an empty file is not created.</summary>
    public async Task<BatchFiles> WriteAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var id = BatchId.Format(batch.CorrelationId);
        await using var output = new LineFile(() => files.OpenWriteAsync(batch.Owner, "batch_output", $"output_{id}.jsonl"));
        await using var errors = new LineFile(() => files.OpenWriteAsync(batch.Owner, "batch_output", $"errors_{id}.jsonl"));
        var written = new Written(output, errors);
        var copies = batch.Deduplicate ? await CopiesAsync(batch, cancellationToken) : null;
        await foreach (var ended in batchStore.EndedAsync(batch.CorrelationId, null, cancellationToken))
        {
            var line = await RenderAsync(batch, ended, written.Usage, null, cancellationToken);
            await written.AddAsync(line, cancellationToken);
            if (copies is null || BatchHeaders.Of(ended.Headers)?.Twins is not { } key)
                continue;
            foreach (var (twin, hasRoom) in copies.Of(key, line.Text.Length))
            {
                await written.AddAsync(hasRoom ? await RenderAsync(batch, ended, null, twin, cancellationToken)
                    : BatchResults.OfNoRoom(ended, twin, store.Value.MaxBytes), cancellationToken);
            }
        }

        await foreach (var bad in batchStore.BadAsync(batch.CorrelationId, cancellationToken))
        {
            if (bad.Code != BatchTwins.Code)
                await written.AddAsync(new(BatchResults.Of(bad), BatchResultKind.Error), cancellationToken);
        }

        await WriteRestAsync(batch, written, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        var keep = batch.OutputExpiresAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
        var outputId = await output.CommitAsync(keep);
        try
        {
            return new BatchFiles(outputId, output.Lines, await errors.CommitAsync(keep), errors.Lines - written.Unfinished)
            {
                Unfinished = written.Unfinished, Usage = written.Usage.ToText(),
            };
        }
        catch when (outputId is not null)
        {
            await files.DeleteAsync(outputId, Access.All);
            throw;
        }
    }

    /// <summary>The items that get the result of an identical one; at most as many as a batch has items.</summary>
    private async Task<BatchCopies> CopiesAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var all = new List<InvalidBatchItem>();
        await foreach (var bad in batchStore.BadAsync(batch.CorrelationId, cancellationToken))
        {
            if (bad.Code == BatchTwins.Code)
                all.Add(bad);
        }

        return new BatchCopies(all, store.Value.MaxBytes);
    }

    /// <summary>Renders the line of a task. An unreadable row becomes an error line and is quarantined.</summary>
    private async Task<BatchResultLine> RenderAsync(BatchState batch, EndedBatchItem ended, BatchUsage? usage, InvalidBatchItem? copyFor,
        CancellationToken cancellationToken)
    {
        try
        {
            return BatchResults.Of(batch, ended, usage, copyFor);
        }
        catch (Exception fault) when (StorageFaults.IsOfRow(fault))
        {
            await quarantine.AddAsync(new QuarantinedItem
            {
                Kind = QuarantineKinds.BatchItem, Subject = ended.Id.ToString(), Queue = batch.Queue, Owner = batch.Owner,
                Reason = $"line of {BatchId.Format(batch.CorrelationId)}: {PoisonRules.Reason(fault)}",
            }, cancellationToken);
            return new(BatchResults.OfUnreadable(ended.Id), BatchResultKind.Error);
        }
    }

    /// <summary>Writes lines that had not become tasks when the batch was cancelled or expired, if the input still exists.</summary>
    private async Task WriteRestAsync(BatchState batch, Written written, CancellationToken cancellationToken)
    {
        if (batch.InProgressAt is not null && batch.LinesDone >= batch.Total)
            return;
        await using var content = await BatchInput.OpenAsync(files, batch.InputFileId, cancellationToken);
        if (content is null)
            return;
        var (line, most) = (batch.LinesDone, engine.Value.LargestBatchItem());
        await foreach (var text in BatchInput.ReadAsync(content, batch.BytesDone, most, cancellationToken))
        {
            if (line == limits.Value.MaxLines)
                break; // validation did not get to reject the excess lines
            await written.AddAsync(BatchResults.OfRest(batch, BatchItem.Parse(text.Text, batch, most), line++), cancellationToken);
        }
    }

    /// <summary>Both files, and what they hold.</summary>
    private sealed class Written(LineFile output, LineFile errors)
    {
        public BatchUsage Usage { get; } = new();

        public int Unfinished { get; private set; }

        public ValueTask AddAsync(BatchResultLine line, CancellationToken cancellationToken)
        {
            Unfinished += line.Kind == BatchResultKind.Unfinished ? 1 : 0;
            return (line.Kind == BatchResultKind.Output ? output : errors).AddAsync(line.Text, cancellationToken);
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
        public async Task<string?> CommitAsync(TimeSpan? keep)
        {
            if (Lines == 0)
                return null;
            await FlushAsync(CancellationToken.None);
            return (await _file!.CommitAsync(keep: keep)).Id;
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
