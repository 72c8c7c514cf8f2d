using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>Reads the input of a batch twice: to find what is wrong with it and count its lines, then to make them tasks.</summary>
internal sealed class BatchSplitter(
    BatchVerbs verbs, BatchWork work, FileVerbs files, TaskVerbs tasks, BellaTaskIds ids, QueueCatalog queues,
    IOptions<BatchLimits> options, IOptions<EngineOptions> engine, TimeProvider time)
{
    private const int MaxErrors = 100, ChunkLines = 500, ChunkBytes = 4 * 1024 * 1024;

    /// <summary>Room around the request of a line for its other members.</summary>
    private const int Envelope = 16 * 1024;

    private int MaxLine => engine.Value.MaxPayloadBytes + Envelope;

    /// <summary>Decides whether the batch can be run.</summary>
    /// <returns>The batch as it is then.</returns>
    public async Task<BatchState> ValidateAsync(BatchState batch, CancellationToken stop)
    {
        var errors = new List<BatchInputError>();
        var (total, bad) = (0, 0);
        if (await files.FindAsync(batch.InputFileId, batch.Owner, stop) is { } file)
            (total, bad) = await CheckAsync(batch, file, errors, stop);
        else
            errors.Add(new BatchInputError("file_not_found", $"there is no file {batch.InputFileId}", "input_file_id", null));

        var now = Micros.Now(time);
        await verbs.ApplyAsync(errors.Count > 0
            ? new RefuseBatch(batch.CorrelationId, now, JsonSerializer.Serialize(errors, BatchJson.Shapes.IReadOnlyListBatchInputError))
            : new BeginBatch(batch.CorrelationId, now, total, bad));
        return (await work.TakeAsync(batch.CorrelationId, renew: true))!;
    }

    private async Task<(int Total, int Bad)> CheckAsync(BatchState batch, FileRecord file, List<BatchInputError> errors, CancellationToken stop)
    {
        var (total, bad, models) = (0, 0, new HashSet<string?>());
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await using var content = files.OpenRead(file);
        await foreach (var line in BatchInput.ReadAsync(content, 0, MaxLine, stop))
        {
            if (++total > options.Value.MaxLines)
            {
                errors.Insert(0, new BatchInputError("too_many_tasks", $"the file has more than {options.Value.MaxLines} lines", null, null));
                break;
            }

            var read = BatchLine.Parse(line.Text, batch, MaxLine);
            var problem = read.Problem ?? TooBig(read);
            if (problem is not null)
                bad++;
            if (batch.Strict && errors.Count < MaxErrors && (problem ?? Mismatch(read, seen, models)) is { } wrong)
                errors.Add(new BatchInputError(wrong.Code, wrong.Message, wrong.Param, line.Number));
            if (total % 5000 == 0)
                await work.TakeAsync(batch.CorrelationId, renew: true);
        }

        if (total == 0 && batch.Strict)
            errors.Add(new BatchInputError("empty_file", "the file has no line", "input_file_id", null));
        return (total, bad);
    }

    private static BatchProblem? Mismatch(BatchLine line, HashSet<string> seen, HashSet<string?> models)
    {
        if (!seen.Add(line.CustomId!))
            return new BatchProblem("duplicate_custom_id", $"custom_id {line.CustomId} was used before", "custom_id");
        models.Add(line.Model);
        return models.Count > 1 ? new BatchProblem("model_mismatch", "all lines must name the same model", "body.model") : null;
    }

    private BatchProblem? TooBig(BatchLine line) =>
        line.Body is { } body && System.Text.Encoding.UTF8.GetByteCount(body) > engine.Value.MaxPayloadBytes
            ? new BatchProblem("invalid_body", $"body has more than {engine.Value.MaxPayloadBytes} bytes", "body")
            : null;

    /// <summary>Makes the lines that are left tasks, some in each transaction, which also notes how far it came.</summary>
    /// <returns>The batch as it is then.</returns>
    public async Task<BatchState> SplitAsync(BatchState batch, CancellationToken stop)
    {
        if (await files.FindAsync(batch.InputFileId, owner: null, stop) is not { } file)
            return await LoseRestAsync(batch);
        var queue = await queues.LookUpAsync(batch.Queue);
        await using var content = files.OpenRead(file);
        var chunk = new Chunk(batch.LinesDone);
        await foreach (var line in BatchInput.ReadAsync(content, batch.BytesDone, MaxLine, stop))
        {
            chunk.Add(line, BatchLine.Parse(line.Text, batch, MaxLine), TooBig);
            if (chunk.Lines < ChunkLines && chunk.Bytes < ChunkBytes)
                continue;
            if (!await InsertAsync(batch, queue?.Id ?? 0, chunk))
                return (await work.TakeAsync(batch.CorrelationId, renew: true))!;
            chunk = new Chunk(chunk.To);
        }

        await InsertAsync(batch, queue?.Id ?? 0, chunk);
        return (await work.TakeAsync(batch.CorrelationId, renew: true))!;
    }

    /// <summary>Somebody deleted the input: what is not a task by now never will be.</summary>
    private async Task<BatchState> LoseRestAsync(BatchState batch)
    {
        var chunk = new Chunk(batch.LinesDone) { End = batch.BytesDone };
        while (chunk.To < batch.Total)
            chunk.Lose("file_not_found", $"the file {batch.InputFileId} was deleted before this line was run");
        await InsertAsync(batch, 0, chunk);
        return (await work.TakeAsync(batch.CorrelationId, renew: true))!;
    }

    /// <returns>Whether the batch still wants its lines.</returns>
    private async Task<bool> InsertAsync(BatchState batch, int queueId, Chunk chunk)
    {
        if (chunk.Lines == 0)
            return true;
        List<TaskSubmission> submissions = [.. chunk.Requests.Select(r => ToTask(batch, queueId, r))];
        var bad = chunk.Bad.ConvertAll(b => new BatchBadLine { BatchId = batch.CorrelationId, Line = b.Line, CustomId = b.CustomId, Code = b.Problem.Code, Message = b.Problem.Message });
        var answers = await tasks.SubmitManyAsync(submissions, new BatchStep(batch.CorrelationId, chunk.From, chunk.To, chunk.End, bad));
        // Another process has made the same ids: very rare, and repeated until they differ.
        while (answers.Any(a => a.Result == Admitted.IdTaken))
        {
            ids.DrawInstance();
            submissions = [.. submissions.Zip(answers).Where(p => p.Second.Result == Admitted.IdTaken).Select(p => p.First with { Id = NewId(batch, queueId).ToGuid() })];
            answers = await tasks.SubmitManyAsync(submissions);
        }

        return await work.TakeAsync(batch.CorrelationId, renew: true) is { State: BatchStates.InProgress } now && now.LinesDone == chunk.To;
    }

    private BellaTaskId NewId(BatchState batch, int queueId) => ids.New(queueId, batch.Level, BellaMode.Batch);

    private TaskSubmission ToTask(BatchState batch, int queueId, (string? CustomId, string Body) request)
    {
        var id = NewId(batch, queueId);
        return new TaskSubmission(id.ToGuid(), batch.Queue, request.Body)
        {
            Level = batch.Level,
            Name = batch.Endpoint,
            ExpiresAt = batch.DeadlineAt,
            MaxAttempts = 1,
            Headers = new BatchHeaders(BellaBatchId.Format(batch.CorrelationId), "batch", request.CustomId, batch.SubmitterKey).ToText(),
            Ending = new TaskEnding { LapseResult = $$"""{"status_code":"408","request_id":"{{id}}"}""" },
            BatchId = batch.CorrelationId,
        };
    }

    /// <summary>Lines of one transaction.</summary>
    private sealed class Chunk(int from)
    {
        public int From { get; } = from;

        public int To { get; private set; } = from;

        public int Lines => To - From;

        public int Bytes { get; private set; }

        /// <summary>Bytes of the input behind the last line.</summary>
        public long End { get; set; }

        public List<(string? CustomId, string Body)> Requests { get; } = [];

        public List<(int Line, string? CustomId, BatchProblem Problem)> Bad { get; } = [];

        public void Add(InputLine line, BatchLine read, Func<BatchLine, BatchProblem?> check)
        {
            if ((read.Problem ?? check(read)) is { } problem)
                Bad.Add((To, read.CustomId, problem));
            else
                Requests.Add((read.CustomId, read.Body!));
            Bytes += line.Text?.Length ?? 0;
            End = line.End;
            To++;
        }

        public void Lose(string code, string message) => Bad.Add((To++, null, new BatchProblem(code, message, null)));
    }
}
