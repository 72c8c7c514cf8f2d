using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Reads the input of a batch twice: to find what is wrong with it and count its lines, then to make them tasks. Each step says
/// whether there may be more to do at once.
/// </summary>
internal sealed class BatchExpander(
    BatchService batchService, FileService files, TaskService tasks, WaitingTaskQuota quota, NumberedTaskIds ids,
        IOptions<BatchLimits> limits, IOptions<EngineOptions> engine, TimeProvider time)
{
    /// <summary>Lines and bytes of one transaction, at most.</summary>
    private const int ChunkLines = 1000, ChunkBytes = 4 * 1024 * 1024;

    private int MaxPayload => engine.Value.MaxPayloadBytes;

    /// <summary>Decides whether the batch can be run.</summary>
    public async Task<bool> ValidateAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var check = new BatchCheck(batch.Strict, limits.Value.MaxLines);
        await using (var content = await BatchInput.OpenAsync(files, batch.InputFileId, cancellationToken))
        {
            if (content is null)
                check.Refuse(BatchResults.FileNotFound, $"there is no file {batch.InputFileId}");
            else
                await CheckAsync(batch, content, check, cancellationToken);
        }

        var now = Micros.Now(time);
        return await batchService.ApplyAsync(check.Errors.Count > 0
            ? new RefuseBatch(batch.CorrelationId, now,
                JsonSerializer.Serialize(check.Errors, BatchJson.Instance.IReadOnlyListBatchInputError))
            : new BeginBatch(batch.CorrelationId, now, check.Total, check.Bad)) == CommandResult.Applied;
    }

    /// <summary>
    /// Makes the lines that are left tasks, some in each transaction, which also notes how far it came. Where the owner's quota of
    /// waiting tasks has no room the batch stays as it is until workers have taken some.
    /// </summary>
    public async Task<bool> SplitAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var room = await quota.RoomAsync(batch.Owner);
        if (room == 0)
            return false;
        try
        {
            return await SplitAsync(batch, (int)Math.Min(room, ChunkLines), cancellationToken);
        }
        catch (QuotaExceededException)
        {
            return false; // others took the room
        }
    }

    private async Task<bool> SplitAsync(BatchState batch, int chunkLines, CancellationToken cancellationToken)
    {
        await using var content = await BatchInput.OpenAsync(files, batch.InputFileId, cancellationToken);
        if (content is null)
            return await LoseRestAsync(batch);
        var chunk = new BatchChunk(batch.LinesDone, batch.BytesDone);
        await foreach (var line in BatchInput.ReadAsync(content, batch.BytesDone, MaxPayload, cancellationToken))
        {
            chunk.Add(line, BatchItem.Parse(line.Text, batch, MaxPayload));
            if (chunk.To < batch.Total && chunk.Lines < chunkLines && chunk.Bytes < ChunkBytes)
                continue;
            if (!await InsertAsync(batch, chunk))
                return true; // it was cancelled, say, or another scheduler took it over
            chunk = new BatchChunk(chunk.To, chunk.End);
        }

        return chunk.To == batch.Total ? true
            : throw new InvalidDataException($"{batch.InputFileId} has {chunk.To} lines and had {batch.Total}");
    }

    private async Task CheckAsync(BatchState batch, Stream content, BatchCheck check, CancellationToken cancellationToken)
    {
        await foreach (var line in BatchInput.ReadAsync(content, 0, MaxPayload, cancellationToken))
        {
            if (!check.Add(line, BatchItem.Parse(line.Text, batch, MaxPayload)))
                return;
        }

        check.End();
    }

    /// <summary>Somebody deleted the input: what is not a task by now never will be.</summary>
    private Task<bool> LoseRestAsync(BatchState batch)
    {
        var chunk = new BatchChunk(batch.LinesDone, batch.BytesDone);
        while (chunk.To < batch.Total)
            chunk.Lose(new BatchProblem(BatchResults.FileNotFound,
                $"the file {batch.InputFileId} was deleted before this line was run", null));
        return InsertAsync(batch, chunk);
    }

    /// <returns>Whether it was, and nobody did so before.</returns>
    private async Task<bool> InsertAsync(BatchState batch, BatchChunk chunk)
    {
        var bad = chunk.Bad.ConvertAll(b =>
            new InvalidBatchItem { BatchId = batch.CorrelationId, Line = b.Line, CustomId = b.CustomId, Code = b.Problem.Code,
                Message = b.Problem.Message });
        var step = new BatchStep(batch.CorrelationId, chunk.From, chunk.To, chunk.End, bad);
        while (true)
        {
            try
            {
                var answers = await tasks.SubmitManyAsync(chunk.Requests.ConvertAll(r => ToTask(batch, r)), step);
                return answers.Count > 0 || chunk.Requests.Count == 0;
            }
            catch (Exception taken) when (taken is TaskIdTakenException or TaskIdConflictException)
            {
                ids.DrawInstance(); // another process makes the same ids
            }
        }
    }

    private TaskSubmission ToTask(BatchState batch, BatchItem line)
    {
        var id = ids.New(NumberedTaskId.FromGuid(batch.CorrelationId)!.Queue, batch.Tier, NumberedTaskMode.Batch);
        return new TaskSubmission(id.ToGuid(), batch.Queue, line.Body!)
        {
            Tier = batch.Tier,
            Name = batch.Endpoint,
            ExpiresAt = batch.DeadlineAt,
            MaxAttempts = 1,
            Headers = new BatchHeaders(BatchId.Format(batch.CorrelationId), "batch", line.CustomId, batch.Submitter).ToText(),
            Ending = new CompletionActions { LeaseExpiryResult = id.LeaseExpiryResult },
            BatchId = batch.CorrelationId,
            Owner = batch.Owner,
        };
    }
}

/// <summary>Lines of one transaction.</summary>
/// <param name="from">Lines that were done before.</param>
/// <param name="end">Bytes of the input behind them.</param>
internal sealed class BatchChunk(int from, long end)
{
    public int From { get; } = from;

    public int To { get; private set; } = from;

    public int Lines => To - From;

    public int Bytes { get; private set; }

    /// <summary>Bytes of the input behind the last line.</summary>
    public long End { get; private set; } = end;

    public List<BatchItem> Requests { get; } = [];

    public List<(int Line, string? CustomId, BatchProblem Problem)> Bad { get; } = [];

    public void Add(InputLine line, BatchItem read)
    {
        if (read.Problem is { } problem)
            Bad.Add((To, read.CustomId, problem));
        else
            Requests.Add(read);
        Bytes += line.Text?.Length ?? 0;
        End = line.End;
        To++;
    }

    public void Lose(BatchProblem problem) => Bad.Add((To++, null, problem));
}
