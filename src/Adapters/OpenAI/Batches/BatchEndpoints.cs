using System.Globalization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Ids;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>OpenAI's Batch API, in the dialects of OpenAI and Bella (bella.md 10, 12).</summary>
internal static class BatchEndpoints
{
    private const int DefaultPage = 20, MaxPage = 100;
    private const string Warning = "X-TaskQueue-Warning";

    /// <summary>A batch with the same input is mentioned for this long.</summary>
    private static readonly TimeSpan TwinAge = TimeSpan.FromDays(1);

    public static IServiceCollection AddBatches(this IServiceCollection services)
    {
        services.AddOptions<DialectOptions>().BindConfiguration("TaskQueue:Bella").ValidateOnStart();
        return services.AddSingleton<BatchRequest>().AddSingleton<PartialOutput>().AddSingleton<IBatchRenderer, BatchRenderer>();
    }

    public static void MapBatches(this WebApplication app)
    {
        var batches = app.MapGroup("/v1/batches").WithTags("openai")
            .AnswerFaults(OpenAIErrors.Batch(app.Services.GetRequiredService<TimeProvider>()))
            .WithMetadata(OpenAIErrors.NoCache).Needs(Scope.Read).ForKeysOnly();
        batches.MapPost("", CreateAsync).Needs(Scope.Enqueue).TakesJson<BatchBody>().Produces<OpenAIBatch>().Produces<BatchError>(400)
            .Produces<BatchError>(404).WithSummary(
                "Run the lines of a file: {\"input_file_id\", \"endpoint\", \"completion_window\"}, and optionally metadata. "
                + "The queue is taken from X-BELLA-QUEUE-NAME, or from the first line's model.");
        batches.MapGet("", ListAsync).TakesWhole("limit", "1 to 100, default 20.").TakesQuery("after", "List batches after this one.")
            .Produces<BatchPage<OpenAIBatch>>().Produces<BatchError>(400)
            .WithSummary("List batches, newest first.");
        batches.MapGet("/{id}", GetAsync).Produces<OpenAIBatch>().Produces<BatchError>(404).WithSummary("Get a batch with live counts.");
        batches.MapPost("/{id}/cancel", CancelAsync).Audited("batch.cancel", onlyWhenNoted: true).Needs(Scope.Enqueue)
            .Produces<OpenAIBatch>().Produces<OpenAIBatch>(202).Produces<BatchError>(404)
            .WithSummary("Cancel a batch; running tasks may finish within a grace period.");
        batches.MapPost("/{id}/retry-failed", RetryAsync).Audited("batch.retry", onlyWhenNoted: true).Needs(Scope.Enqueue)
            .Produces<OpenAIBatch>().Produces<BatchError>(404).Produces<BatchError>(409)
            .WithSummary("Create a batch of the failed lines of one that has ended. Not part of OpenAI's API.");
        batches.MapGet("/{id}/output", OutputAsync).Produces(200, contentType: PartialOutput.ContentType).Produces<BatchError>(404)
            .WithSummary("The output lines so far, also while the batch runs. Not part of OpenAI's API.");
        batches.MapGet("/{id}/errors", ErrorsAsync).Produces(200, contentType: PartialOutput.ContentType).Produces<BatchError>(404)
            .WithSummary("The error lines so far, also while the batch runs. Not part of OpenAI's API.");
    }

    private static async Task<IResult> CreateAsync(HttpContext context, BatchRequest request, BatchService batchService,
        IBatchQueries queries, IOptions<EngineOptions> options, TimeProvider time)
    {
        var body = await RequestJson.ReadAsync(context, BatchBodyJson.Instance.BatchBody, BodyLimits.One(options.Value));
        if (await FindKnownAsync(context, queries) is { } known)
            return Answer(known, await ProgressAsync(known, context, queries), context.DialectOf(), Redactor.None);
        var asked = await request.ReadAsync(context, body);
        if (asked.RequestKey is null)
            await WarnOfTwinAsync(asked, context, queries, time);
        var batch = await batchService.CreateAsync(asked);
        // The same request may have created the batch meanwhile.
        var progress = asked.RequestKey is null ? BatchProgress.Of(batch) : await ProgressAsync(batch, context, queries);
        return Answer(batch, progress, context.DialectOf(), Redactor.None);
    }

    /// <summary>The batch that the same request created before, whatever became of its input and its queue since.</summary>
    private static async Task<BatchState?> FindKnownAsync(HttpContext context, IBatchQueries queries)
    {
        if (context.IdempotencyKey() is not { } key || await queries.FindByRequestAsync(key, context.RequestAborted) is not { } known)
            return null;
        context.Demand(known.Queue);
        return known;
    }

    /// <summary>A client that lost the answer to its request, and sends it again without a key, gets a second batch.</summary>
    private static async Task WarnOfTwinAsync(NewBatch asked, HttpContext context, IBatchQueries queries, TimeProvider time)
    {
        var since = time.GetUtcNow().UtcDateTime - TwinAge;
        if (await queries.FindTwinAsync(asked.InputFileId, asked.Endpoint, since, context.Access(), context.RequestAborted) is { } twin)
            context.Response.Headers[Warning] = $"{BatchId.Format(twin.CorrelationId)} already runs the lines of {asked.InputFileId}; send "
                + $"{IdempotencyKeys.Header} to create one batch however often the request is sent";
    }

    private static async Task<IResult> RetryAsync(string id, HttpContext context, IBatchQueries queries, BatchRetry retry)
    {
        var failed = await FindOwnAsync(id, context, queries);
        context.Demand(failed.Queue);
        context.AuditForeign($"batch/{id}", failed.Owner);
        var batch = await retry.CreateAsync(failed, context.Caller().Name, context.IdempotencyKey(), context.RequestAborted);
        return Answer(batch, await ProgressAsync(batch, context, queries), context.DialectOf(batch), Redactor.None);
    }

    private static async Task<IResult> OutputAsync(string id, HttpContext context, IBatchQueries queries, PartialOutput output) =>
        await output.OfAsync(await FindOwnAsync(id, context, queries), context, BatchResultKind.Output);

    private static async Task<IResult> ErrorsAsync(string id, HttpContext context, IBatchQueries queries, PartialOutput output) =>
        await output.OfAsync(await FindOwnAsync(id, context, queries), context, BatchResultKind.Error);

    private static async Task<IResult> GetAsync(string id, HttpContext context, IBatchQueries queries, Redaction redaction,
        IOptions<DialectOptions> options)
    {
        if (await FindAsync(id, context, queries) is not { } batch)
            return options.Value.EmptyForUnknown && context.DialectOf() == Dialect.Bella ? Results.Ok() : throw NotFound(id);
        return Answer(batch, await ProgressAsync(batch, context, queries), context.DialectOf(batch), redaction.For(context.Caller()));
    }

    private static async Task<IResult> ListAsync(HttpContext context, IBatchQueries queries, Redaction redaction)
    {
        var limit = DefaultPage;
        if (context.Request.Query["limit"].FirstOrDefault() is { } text
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MaxPage))
            throw OpenAIErrors.Invalid($"limit must be 1 to {MaxPage}");
        BatchState? after = null;
        if (context.Request.Query["after"].FirstOrDefault() is { Length: > 0 } id)
            after = await FindAsync(id, context, queries) ?? throw OpenAIErrors.Invalid($"after: there is no batch {id}");
        var page = await queries.ListAsync(context.Access(), after, limit + 1, context.RequestAborted);
        var shown = page.Take(limit).ToList();
        var progress = await queries.ProgressAsync(shown, context.RequestAborted);
        var redactor = redaction.For(context.Caller());
        return context.DialectOf() == Dialect.OpenAI
            ? Page(
                shown, b => RedactedBatches.Of(BatchObjects.ToOpenAI(b, progress[b.CorrelationId]), redactor), page.Count > limit,
                BatchObjectJson.Instance.BatchPageOpenAIBatch)
            : Page(
                shown, b => RedactedBatches.Of(BatchObjects.ToBella(b, progress[b.CorrelationId]), redactor), page.Count > limit,
                BatchObjectJson.Instance.BatchPageBellaBatch);
    }

    private static IResult Page<T>(List<BatchState> batches, Func<BatchState, T> show, bool hasMore, JsonTypeInfo<BatchPage<T>> type)
    {
        var ids = batches.ConvertAll(b => BatchId.Format(b.CorrelationId));
        var page = new BatchPage<T>("list", batches.ConvertAll(b => show(b)), ids.FirstOrDefault(), ids.LastOrDefault(), hasMore);
        return Results.Json(page, type);
    }

    /// <summary>Bella returns the batch in its previous state, because cancellation is asynchronous (bella.md 10.4).</summary>
    private static async Task<IResult> CancelAsync(string id, HttpContext context, IBatchQueries queries, BatchService batchService,
        Redaction redaction)
    {
        var before = await FindAsync(id, context, queries) ?? throw NotFound(id);
        context.AuditForeign($"batch/{id}", before.Owner);
        await batchService.CancelAsync(before.CorrelationId);
        var dialect = context.DialectOf(before);
        var shown = dialect == Dialect.OpenAI ? await FindAsync(id, context, queries) ?? before : before;
        return Answer(shown, await ProgressAsync(shown, context, queries), dialect, redaction.For(context.Caller()),
            dialect == Dialect.OpenAI ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
    }

    private static async Task<BatchState?> FindAsync(string id, HttpContext context, IBatchQueries queries) =>
        BatchId.Parse(id) is { } parsed ? await queries.FindAsync(parsed.ToGuid(), context.Access(), context.RequestAborted) : null;

    /// <summary>A batch whose files the caller may read.</summary>
    private static async Task<BatchState> FindOwnAsync(string id, HttpContext context, IBatchQueries queries)
    {
        var batch = await FindAsync(id, context, queries) ?? throw NotFound(id);
        return context.Access().CanRead(batch.Owner) ? batch : throw NotFound(id);
    }

    private static async Task<BatchProgress> ProgressAsync(BatchState batch, HttpContext context, IBatchQueries queries) =>
        (await queries.ProgressAsync([batch], context.RequestAborted))[batch.CorrelationId];

    private static IResult Answer(BatchState batch, BatchProgress progress, Dialect dialect, Redactor redactor,
        int status = StatusCodes.Status200OK) =>
        dialect == Dialect.OpenAI
            ? Results.Json(RedactedBatches.Of(BatchObjects.ToOpenAI(batch, progress), redactor), BatchObjectJson.Instance.OpenAIBatch,
                statusCode: status)
            : Results.Json(RedactedBatches.Of(BatchObjects.ToBella(batch, progress), redactor), BatchObjectJson.Instance.BellaBatch,
                statusCode: status);

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no batch {id}");
}
