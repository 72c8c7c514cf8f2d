using System.Text.Json;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Auth;
using TaskQueue.Api.Http;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Bella;

/// <summary>The door of Bella-Queue's clients and workers.</summary>
internal static class BellaEndpoints
{
    public static IServiceCollection AddBella(this IServiceCollection services)
    {
        services.AddOptions<BellaOptions>().BindConfiguration("TaskQueue:Bella").ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton<BellaTaskIds>();
        return services;
    }

    public static void MapBella(this WebApplication app)
    {
        var bella = app.MapGroup("/v1/queue").WithTags("bella").AnswerFaults(Error(app.Services.GetRequiredService<TimeProvider>()))
            .AddEndpointFilter(NoCacheAsync).DemandKey();
        bella.MapPost("/register", RegisterAsync).Produces<string>().Produces<BellaError>(400)
            .WithSummary("Register a queue: {\"queue\", \"endpoint\"}; all of its levels can then be used.");
        bella.MapGet("/{queue}/metadata", MetadataAsync).Produces<BellaQueue>().Produces<BellaError>(404)
            .WithSummary("What a registered queue serves.");
        bella.MapPost("/put", PutAsync).Produces<BellaPutAnswer>().Produces<BellaError>(400).Produces<BellaError>(404).Produces<BellaError>(413)
            .WithSummary("Accept a task: {\"queue\", \"endpoint\", \"data\"}, and optionally level, response_mode, callback_url, timeout, trace_id.");
        bella.MapPost("/take", TakeAsync).Produces<Dictionary<string, List<BellaTask>>>().Produces<BellaError>(400).Produces<BellaError>(404)
            .WithSummary("Take up to size tasks, at most 10, oldest first: {\"queues\": [\"name:level\"], \"size\"}, and optionally strategy, process_timeout, process_max_retries.");
        bella.MapPost("/{taskId}/complete", CompleteAsync).Produces<string>().Produces<BellaError>(400).Produces<BellaError>(413)
            .WithSummary("Complete a taken task with any object as its result; the first completion counts, and none of an unknown or ended task.");
        bella.MapGet("/{taskId}", GetAsync).Produces<BellaTask>().Produces<BellaError>(404)
            .WithSummary("One task.");
    }

    /// <summary>The error body of this door and of the batch API.</summary>
    internal static Func<DoorFault, IResult> Error(TimeProvider time) => fault =>
    {
        var details = new BellaErrorDetails(fault.Message, fault.Status < 500 ? "invalid_request_error" : "internal_server_error");
        return Results.Json(new BellaError(fault.Status, fault.Message, time.GetUtcNow().ToUnixTimeMilliseconds(), details), BellaJson.Shapes.BellaError, statusCode: fault.Status);
    };

    private static ValueTask<object?> NoCacheAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        context.HttpContext.Response.Headers.CacheControl = "no-cache";
        return next(context);
    }

    private static async Task<IResult> RegisterAsync(HttpContext context, QueueVerbs queues, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Shapes.BellaRegisterBody, BodyLimits.One(options.Value));
        if (body.Queue is not { } name || !BellaMapping.IsName(name))
            throw BellaMapping.Wrong($"queue must be a name of {BellaMapping.NameRule}");
        if (body.Endpoint is not { Length: <= 256 } endpoint || string.IsNullOrWhiteSpace(endpoint) || endpoint.Contains('\0', StringComparison.Ordinal))
            throw BellaMapping.Wrong("endpoint must be a text of 1 to 256 characters");
        return await queues.CreateAsync(name, Delivery.Pull, QueueSettings.Default, endpoint) is not null ? Text(name) : throw BellaMapping.Wrong($"queue {name} exists already");
    }

    private static async Task<IResult> MetadataAsync(string queue, QueueCatalog queues)
    {
        var known = await FindAsync(queues, queue);
        return Results.Json(new BellaQueue(known.Name, known.Endpoint), BellaJson.Shapes.BellaQueue);
    }

    private static async Task<IResult> PutAsync(HttpContext context, QueueCatalog queues, TaskVerbs verbs, BellaTaskIds ids, TimeProvider time, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Shapes.BellaPutBody, BodyLimits.One(options.Value));
        BellaMapping.Check(body);
        var queue = await FindAsync(queues, body.Queue!);
        while (true)
        {
            var id = ids.New(queue.Id, body.Level ?? 0, BellaMode.Callback);
            var now = time.GetUtcNow();
            if (await verbs.SubmitAsync(BellaMapping.ToSubmission(body, id, now, BellaMapping.Server(context.Connection))) is { Result: Admitted.Accepted })
                return Results.Json(new BellaPutAnswer(200, now.ToUnixTimeMilliseconds(), id.ToString()), BellaJson.Shapes.BellaPutAnswer);
            ids.DrawInstance();
        }
    }

    private static async Task<IResult> TakeAsync(HttpContext context, QueueCatalog queues, Claims claims, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Shapes.BellaTakeBody, BodyLimits.One(options.Value));
        var request = BellaMapping.ToClaim(body);
        foreach (var name in request.Targets.Select(t => t.Queue).Distinct(StringComparer.Ordinal))
        {
            if ((await FindAsync(queues, name)).Delivery == Delivery.Push)
                throw BellaMapping.Wrong($"queue {name} is dispatched to bus workers and cannot be taken from");
        }

        var tasks = request.Max == 0 ? [] : await claims.ClaimAsync(request, TimeSpan.Zero, context.RequestAborted);
        return Results.Json(BellaMapping.ToTaken(tasks, BellaMapping.Server(context.Connection)), BellaJson.Shapes.DictionaryStringListBellaTask);
    }

    /// <summary>What cannot be completed is left alone and answered all the same (bella.md 4.5).</summary>
    private static async Task<IResult> CompleteAsync(string taskId, HttpContext context, TaskQueries queries, TaskVerbs verbs, TimeProvider time, IOptions<EngineOptions> options)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        if (body.RootElement.ValueKind != JsonValueKind.Object)
            throw BellaMapping.Wrong("the body must be a JSON object");
        if (BellaTaskId.ParseAny(taskId) is { } id && await queries.FindAsync(id, context.RequestAborted) is { } task && !(task.ExpiresAt < time.GetUtcNow().UtcDateTime))
            await verbs.ApplyAsync([verbs.Complete(id, task.Attempt, worker: null, body.RootElement.GetRawText())]);
        return Text(taskId);
    }

    private static async Task<IResult> GetAsync(string taskId, HttpContext context, TaskQueries queries)
    {
        var task = BellaTaskId.ParseAny(taskId) is { } id ? await queries.FindAsync(id, context.RequestAborted) : null;
        return task is not null
            ? Results.Json(BellaMapping.ToTask(task, BellaMapping.Server(context.Connection)), BellaJson.Shapes.BellaTask)
            : throw new DoorException(404, "not_found", $"there is no task {taskId}");
    }

    private static async Task<QueueRecord> FindAsync(QueueCatalog queues, string name) =>
        (QueueNames.IsValid(name) ? await queues.LookUpAsync(name) : null) ?? throw new DoorException(404, "not_found", $"queue {name} is not registered");

    private static IResult Text(string text) => Results.Json(text, BellaJson.Shapes.String);
}
