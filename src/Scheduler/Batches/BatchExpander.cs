using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Reads a batch's input twice: first to validate and count its lines, then to create a task for each. Each step returns whether
/// more work may be due immediately.
/// </summary>
internal sealed class BatchExpander(
    BatchService batchService, FileService files, TaskService tasks, WaitingTaskQuota quota, NumberedTaskIds ids,
    QueueCatalog queues, ServedQueues served, IOptions<BatchLimits> limits, IOptions<EngineOptions> engine, TimeProvider time)
{
    /// <summary>Maximum lines and bytes per transaction.</summary>
    private const int ChunkLines = 1000, ChunkBytes = 4 * 1024 * 1024;

    /// <summary>Attempts of an item that an upstream runs.</summary>
    private const int UpstreamAttempts = 5;

    /// <summary>Windows up to this are urgent.</summary>
    private static readonly TimeSpan Urgent = TimeSpan.FromHours(1);

    private int MaxPayload => engine.Value.LargestBatchItem();

    /// <summary>Validates the input.</summary>
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
            : new BeginBatch(batch.CorrelationId, now, check.Total, check.Bad, check.Model)) == CommandResult.Applied;
    }

    /// <summary>
    /// Creates tasks for the remaining lines, a chunk per transaction, which also records the progress. When the owner's quota of
    /// waiting tasks is used up, the batch pauses until workers have claimed some.
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
            return false; // other submissions used up the quota
        }
    }

    private async Task<bool> SplitAsync(BatchState batch, int chunkLines, CancellationToken cancellationToken)
    {
        await using var content = await BatchInput.OpenAsync(files, batch.InputFileId, cancellationToken);
        if (content is null)
            return await LoseRestAsync(batch);
        var chunk = new BatchChunk(batch.LinesDone, batch.BytesDone);
        var twins = batch.Deduplicate ? await BatchTwins.ReadAsync(batch, content, MaxPayload, cancellationToken) : null;
        Task<bool> inserting = Task.FromResult(true); // while the next chunk is read
        try
        {
            await foreach (var line in BatchInput.ReadAsync(content, batch.BytesDone, MaxPayload, cancellationToken))
            {
                var item = BatchItem.Parse(line.Text, batch, MaxPayload);
                chunk.Add(line, twins?.Mark(item) ?? item);
                if (chunk.To < batch.Total && chunk.Lines < chunkLines && chunk.Bytes < ChunkBytes)
                    continue;
                if (!await inserting)
                    return true; // cancelled, or taken over by another scheduler
                inserting = InsertAsync(batch, chunk);
                chunk = new BatchChunk(chunk.To, chunk.End);
            }

            if (!await inserting)
                return true;
        }
        finally
        {
            await ((Task)inserting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

    /// <summary>The input was deleted: remaining lines cannot become tasks.</summary>
    private Task<bool> LoseRestAsync(BatchState batch)
    {
        var chunk = new BatchChunk(batch.LinesDone, batch.BytesDone);
        while (chunk.To < batch.Total)
            chunk.Lose(new BatchProblem(BatchResults.FileNotFound,
                $"the file {batch.InputFileId} was deleted before this line was run", null));
        return InsertAsync(batch, chunk);
    }

    /// <returns>True if this call inserted the chunk; false if it was already inserted.</returns>
    private async Task<bool> InsertAsync(BatchState batch, BatchChunk chunk)
    {
        var bad = chunk.Bad.ConvertAll(b =>
            new InvalidBatchItem { BatchId = batch.CorrelationId, Line = b.Line, CustomId = b.CustomId, Code = b.Problem.Code,
                Message = b.Problem.Message });
        var step = new BatchStep(batch.CorrelationId, chunk.From, chunk.To, chunk.End, bad);
        var endpoint = (await queues.FindAsync(batch.Queue))?.Endpoint;
        var attempts = AttemptsOf(batch, served.IsServed(batch.Queue, endpoint));
        while (true)
        {
            try
            {
                var answers = await tasks.SubmitManyAsync(chunk.Requests.ConvertAll(r => ToTask(batch, r, attempts)), step);
                return answers.Count > 0 || chunk.Requests.Count == 0;
            }
            catch (Exception taken) when (taken is TaskIdTakenException or TaskIdConflictException)
            {
                ids.DrawInstance(); // another process generates the same ids
            }
        }
    }

    /// <summary>A batch with little time goes ahead of those of its queue that have a day; null: the default of the tier.</summary>
    internal static Priority? PriorityOf(BatchState batch) => batch.DeadlineAt - batch.CreatedAt <= Urgent ? Priority.High : null;

    /// <summary>
    /// An upstream answers for its requests itself: an attempt without outcome was lost with its process, and the request is sent again.
    /// Workers say with each take how often an item may be lost (bella.md 6).
    /// </summary>
    /// <param name="batch">The batch.</param>
    /// <param name="isServed">Whether an upstream is configured for its queue; one of another process may be.</param>
    internal static int AttemptsOf(BatchState batch, bool isServed) =>
        isServed || batch.Queue == QueueRouter.UpstreamQueue(batch.Endpoint) ? UpstreamAttempts : 1;

    private TaskSubmission ToTask(BatchState batch, BatchItem line, int attempts)
    {
        var id = ids.New(NumberedTaskId.FromGuid(batch.CorrelationId)!.Queue, batch.Tier, NumberedTaskMode.Batch);
        return new TaskSubmission(id.ToGuid(), batch.Queue, line.Body!)
        {
            Tier = batch.Tier,
            Name = batch.Endpoint,
            Priority = PriorityOf(batch),
            ExpiresAt = batch.DeadlineAt,
            MaxAttempts = attempts,
            Headers = new BatchHeaders(BatchId.Format(batch.CorrelationId), "batch", line.CustomId, batch.Submitter)
            {
                Twins = line.Twins,
            }.ToText(),
            CompletionActions = new CompletionActions { LeaseExpiryResult = id.LeaseExpiryResult },
            BatchId = batch.CorrelationId,
            Owner = batch.Owner,
        };
    }
}

/// <summary>The lines of one transaction.</summary>
/// <param name="from">Number of lines already processed.</param>
/// <param name="end">Byte offset in the input after those lines.</param>
internal sealed class BatchChunk(int from, long end)
{
    public int From { get; } = from;

    public int To { get; private set; } = from;

    public int Lines => To - From;

    public int Bytes { get; private set; }

    /// <summary>Byte offset in the input after the last line.</summary>
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
