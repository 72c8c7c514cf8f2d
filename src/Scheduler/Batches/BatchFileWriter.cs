using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;

namespace TaskQueue.Scheduler.Batches;

/// <summary>Writes the output and the error file of a batch whose tasks have all ended, page by page.</summary>
internal sealed class BatchFileWriter(BatchWork work, FileVerbs files, IOptions<EngineOptions> engine)
{
    private const int Page = 500, Envelope = 16 * 1024;

    /// <summary>Writes both; where nothing belongs into one there is none.</summary>
    public async Task<BatchFiles> WriteAsync(BatchState batch, CancellationToken stop)
    {
        var id = BellaBatchId.Format(batch.CorrelationId);
        await using var output = new LineFile(() => files.OpenWriteAsync(batch.Owner, "batch_output", $"output_{id}.jsonl"));
        await using var errors = new LineFile(() => files.OpenWriteAsync(batch.Owner, "batch_output", $"errors_{id}.jsonl"));
        await WriteTasksAsync(batch, output, errors, stop);
        await WriteBadLinesAsync(batch, errors);
        await WriteRestAsync(batch, errors, stop);
        return new BatchFiles(await output.CommitAsync(), output.Lines, await errors.CommitAsync(), errors.Lines);
    }

    private async Task WriteTasksAsync(BatchState batch, LineFile output, LineFile errors, CancellationToken stop)
    {
        var after = Guid.Empty;
        while (await work.EndedAsync(batch.CorrelationId, after, Page) is { Count: > 0 } page)
        {
            foreach (var ended in page)
            {
                var line = BatchResults.Of(batch, ended);
                (line.IsError ? errors : output).Add(line.Text);
            }

            await output.FlushAsync(stop);
            await errors.FlushAsync(stop);
            await work.TakeAsync(batch.CorrelationId, renew: true);
            after = page[^1].Id;
        }
    }

    private async Task WriteBadLinesAsync(BatchState batch, LineFile errors)
    {
        var after = -1;
        while (await work.BadAsync(batch.CorrelationId, after, Page) is { Count: > 0 } page)
        {
            page.ForEach(bad => errors.Add(BatchResults.Of(bad)));
            await errors.FlushAsync(CancellationToken.None);
            after = page[^1].Line;
        }
    }

    /// <summary>Lines that had not become tasks when the batch was cancelled or expired.</summary>
    private async Task WriteRestAsync(BatchState batch, LineFile errors, CancellationToken stop)
    {
        if (batch.InProgressAt is not null && batch.LinesDone >= batch.Total)
            return;
        if (await files.FindAsync(batch.InputFileId, owner: null, stop) is not { } file)
            return;
        var number = batch.LinesDone;
        var maxLine = engine.Value.MaxPayloadBytes + Envelope;
        await using var content = files.OpenRead(file);
        await foreach (var line in BatchInput.ReadAsync(content, batch.BytesDone, maxLine, stop))
        {
            errors.Add(BatchResults.OfRest(batch, BatchLine.Parse(line.Text, batch, maxLine), number++));
            if (number % Page == 0)
            {
                await errors.FlushAsync(stop);
                await work.TakeAsync(batch.CorrelationId, renew: true);
            }
        }
    }

    /// <summary>A file that begins with its first line.</summary>
    private sealed class LineFile(Func<Task<FileWriter>> open) : IAsyncDisposable
    {
        private readonly MemoryStream _waiting = new();
        private FileWriter? _file;

        public int Lines { get; private set; }

        public void Add(ReadOnlySpan<byte> line)
        {
            _waiting.Write(line);
            _waiting.WriteByte((byte)'\n');
            Lines++;
        }

        public async Task FlushAsync(CancellationToken stop)
        {
            if (_waiting.Length == 0)
                return;
            _file ??= await open();
            await _file.Stream.WriteAsync(_waiting.GetBuffer().AsMemory(0, (int)_waiting.Length), stop);
            _waiting.SetLength(0);
        }

        /// <returns>Its id, or null where it has no line.</returns>
        public async Task<string?> CommitAsync()
        {
            await FlushAsync(CancellationToken.None);
            return _file is null ? null : (await _file.CommitAsync()).Id;
        }

        public async ValueTask DisposeAsync()
        {
            if (_file is not null)
                await _file.DisposeAsync();
            await _waiting.DisposeAsync();
        }
    }
}
