using System.Text.Json;
using TaskQueue.Api.Queues;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Batches;

/// <summary>Reads and cancels batches, whichever API created them.</summary>
internal static class BatchEndpoints
{
    public static void MapNativeBatches(this WebApplication app)
    {
        var batches = app.MapGroup("/batches").WithTags("batches").AnswerFaults(ApiErrors.Problem).Needs(Scope.Read);
        batches.MapGet("", ListAsync).Produces<BatchList>().ProducesProblem(400)
            .TakesQuery("queue", "Only batches of this queue.").TakesWhole("limit", "1 to 200; default 50.")
            .TakesQuery("cursor", "Value of next_cursor from the previous page.").WithSummary("List batches, newest first.");
        batches.MapGet("/{id}", GetAsync).Produces<BatchDetails>().ProducesProblem(404)
            .WithSummary("Get a batch with live counts.");
        batches.MapPost("/{id}/cancel", CancelAsync).Needs(Scope.Enqueue).Audited("batch.cancel", onlyWhenNoted: true)
            .Produces<BatchDetails>(202)
            .ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Cancel a batch; running tasks may finish within a grace period.");
        batches.MapPost("/{id}/retry-failed", RetryAsync).Needs(Scope.Enqueue).Audited("batch.retry", onlyWhenNoted: true)
            .Produces<BatchDetails>(201).ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Create a batch of the failed items of one that has ended; Idempotency-Key creates one however often it is sent.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, IBatchQueries queries, Redaction redaction)
    {
        var page = PageQuery.Read(context.Request, "queue");
        var queue = PageQuery.Single(context.Request, "queue") is { } name
            ? QueueNames.IsValid(name) ? name : throw new ApiException(400, "invalid_request", $"queue must be {QueueNames.Rule}") : null;
        if (queue is not null)
            context.Demand(queue);
        var after = page.Cursor is null ? null : QueueCursor.Parse(page.Cursor) is { } at
            ? new BatchState { CreatedAt = at.At, CorrelationId = at.Id } : throw PageQuery.WrongCursor();
        var found = await queries.ListAsync(context.Access(), after, page.Limit + 1, context.RequestAborted, queue);
        var shown = found.Take(page.Limit).ToList();
        var progress = await queries.ProgressAsync(shown, context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        return Results.Json(
            new BatchList(
                shown.ConvertAll(b => ToDetails(b, progress[b.CorrelationId], redactor)),
                found.Count > page.Limit ? QueueCursor.ToText(new TaskCursor(shown[^1].CreatedAt, shown[^1].CorrelationId)) : null),
            BatchJson.Instance.BatchList);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, IBatchQueries queries) =>
        await AnswerAsync(await FindAsync(id, context, queries), context, queries, StatusCodes.Status200OK);

    private static async Task<IResult> CancelAsync(string id, HttpContext context, IBatchQueries queries, BatchService batches)
    {
        var batch = await FindAsync(id, context, queries);
        context.AuditForeign($"batch/{id}", batch.Owner);
        if (BatchStates.IsTerminal(batch.State))
            throw new ApiException(409, "finished", $"batch {id} has ended and cannot be cancelled");
        await batches.CancelAsync(batch.CorrelationId);
        return await AnswerAsync(await FindAsync(id, context, queries), context, queries, StatusCodes.Status202Accepted);
    }

    /// <summary>Only the owner's callers, and those who see all tenants, may read the files that it copies.</summary>
    private static async Task<IResult> RetryAsync(string id, HttpContext context, IBatchQueries queries, BatchRetry retry)
    {
        var failed = await FindAsync(id, context, queries);
        if (!context.Access().CanRead(failed.Owner))
            throw new ApiException(404, "not_found", $"there is no batch {id}");
        context.Demand(failed.Queue);
        context.AuditForeign($"batch/{id}", failed.Owner);
        var batch = await retry.CreateAsync(failed, context.Caller().Name, context.IdempotencyKey(), context.RequestAborted);
        return await AnswerAsync(batch, context, queries, StatusCodes.Status201Created);
    }

    private static async Task<BatchState> FindAsync(string id, HttpContext context, IBatchQueries queries) =>
        IdOf(id) is { } guid && await queries.FindAsync(guid, context.Access(), context.RequestAborted) is { } batch ? batch
            : throw new ApiException(404, "not_found", $"there is no batch {id}");

    /// <summary>A batch's tasks show its UUID.</summary>
    private static Guid? IdOf(string id) => BatchId.Parse(id) is { } numbered ? numbered.ToGuid()
        : Guid.TryParseExact(id, "D", out var guid) ? guid : null;

    private static async Task<IResult> AnswerAsync(BatchState batch, HttpContext context, IBatchQueries queries, int status)
    {
        var progress = await queries.ProgressAsync([batch], context.RequestAborted);
        var details = ToDetails(
            batch, progress[batch.CorrelationId], context.RequestServices.GetRequiredService<Redaction>().For(context.Caller()));
        if (batch.State == BatchStates.InProgress)
            details = details with { WaitingFor = WaitOf(await queries.WaitingForAsync(batch.CorrelationId, context.RequestAborted)) };
        return Results.Json(details, BatchJson.Instance.BatchDetails, statusCode: status);
    }

    /// <summary>What the progress of a task says it waits for; other progress is a worker's own.</summary>
    private static BatchWait? WaitOf(string? progress)
    {
        if (progress is null)
            return null;
        try
        {
            using var document = JsonDocument.Parse(progress);
            var said = document.RootElement;
            if (TextRules.Read(said, "waiting_for") is not { } reason)
                return null;
            DateTime? until = said.TryGetProperty("until", out var time) && time.TryGetDateTime(out var at) ? at : null;
            return new BatchWait(reason, TextRules.Read(said, "upstream"), until);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static BatchDetails ToDetails(BatchState b, BatchProgress progress, Redactor redactor) => new(
        BatchId.Format(b.CorrelationId), b.Queue, b.Tier, b.Endpoint, Word(b.State), b.Owner, b.Submitter, progress.Total,
        progress.Completed, progress.Failed, progress.Completed + progress.Failed, b.CreatedAt, b.DeadlineAt, b.InProgressAt, b.FinishedAt,
        b.InputFileId, b.OutputFileId, b.ErrorFileId, b.Metadata is null ? null
            : redactor.Texts(JsonSerializer.Deserialize(b.Metadata, BatchJson.Instance.DictionaryStringString)!),
        b.Model, BatchUsage.Of(b.Usage), b.RetryOf is { } former ? BatchId.Format(former) : null, WaitingFor: null);

    private static string Word(int state) => state switch
    {
        BatchStates.Validating => "validating",
        BatchStates.InProgress => "in_progress",
        BatchStates.Cancelling => "cancelling",
        BatchStates.Expiring => "expiring",
        BatchStates.Finalizing => "finalizing",
        BatchStates.Completed => "completed",
        BatchStates.Failed => "failed",
        BatchStates.Expired => "expired",
        _ => "cancelled",
    };
}
