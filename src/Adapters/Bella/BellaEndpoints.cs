using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Bella;

/// <summary>The API of Bella-Queue's clients and workers.</summary>
internal static class BellaEndpoints
{
    public static IServiceCollection AddBella(this IServiceCollection services)
    {
        services.AddOptions<BellaOptions>().BindConfiguration("TaskQueue:Bella").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<BellaMapping>().AddSingleton<BellaPuts>().AddSingleton<BellaCallers>().AddSingleton<BellaEvents>();
        return services;
    }

    public static void MapBella(this WebApplication app)
    {
        var bella = app.MapGroup("/v1/queue").WithTags("bella").AnswerFaults(Error(app.Services.GetRequiredService<TimeProvider>()))
            .WithMetadata(NoCache).Needs(Scope.Read).ForKeysOnly();
        bella.MapPost("/register", RegisterAsync).Audited("queue.put").Needs(Scope.Enqueue).TakesJson<BellaRegisterBody>()
            .Produces<string>().Produces<BellaError>(400).Produces<BellaError>(429)
            .WithSummary("Register a queue: {\"queue\", \"endpoint\"}; all its levels can then be used.");
        bella.MapGet("/{queue}/metadata", MetadataAsync).Produces<BellaQueue>().Produces<BellaError>(404)
            .WithSummary("Get a registered queue and its endpoint.");
        bella.MapPost("/put", PutAsync).Needs(Scope.Enqueue).MayWait().TakesJson<BellaPutBody>().Produces<BellaPutAnswer>()
            .Produces<BellaError>(400).Produces<BellaError>(404).Produces<BellaError>(413).Produces<BellaError>(429)
            .WithSummary("Accept a task: {\"queue\", \"endpoint\", \"data\"}, and optionally level, response_mode, callback_url, timeout, "
                + "trace_id. A blocking put returns the worker's result; a streaming put sends its progress.");
        bella.MapPost("/take", TakeAsync).Needs(Scope.Work).TakesJson<BellaTakeBody>().Produces<Dictionary<string, List<BellaTask>>>()
            .Produces<BellaError>(400).Produces<BellaError>(404)
            .WithSummary("Take up to size tasks: {\"queues\": [\"name:level\"], \"size\"}, and optionally strategy (fifo, round_robin, "
                + "active_passive, sequential), process_timeout, process_max_retries, min_age_seconds.");
        bella.MapPost("/{taskId}/complete", CompleteAsync).Needs(Scope.Work).TakesJson<Dictionary<string, JsonElement>>().Produces<string>()
            .Produces<BellaError>(400).Produces<BellaError>(413)
            .WithSummary("Complete a taken task with any object as its result; the first completion wins, and one for an unknown or "
                + "ended task is ignored.");
        bella.MapPost("/{taskId}/progress", ProgressAsync).Needs(Scope.Work).TakesJson<BellaProgressBody>().Produces<string>()
            .Produces<BellaError>(400).Produces<BellaError>(404)
            .WithSummary("Send progress to the caller of a streaming put: {\"eventId\", \"eventName\", \"eventData\"}.");
        bella.MapPost("/{taskId}/cancel", CancelAsync).Needs(Scope.Enqueue).Produces<string>(202)
            .WithSummary("Cancel a task that has not ended; a later completion is ignored, and no callback is sent.");
        bella.MapGet("/eventbus", EventBus).Needs(Scope.Work).Produces<BellaEventBus>()
            .WithSummary("The broker to which workers may publish progress and completions.");
        bella.MapGet("/{queue}/stats", BellaConsole.StatsAsync).Produces<BellaStats>().Produces<BellaError>(400).Produces<BellaError>(404)
            .WithSummary("Counts of a queue and level (name:level).");
        bella.MapGet("/{taskId}", GetAsync).Produces<BellaTask>().Produces<BellaError>(404)
            .WithSummary("One task.");
        app.MapBellaConsole();
    }

    /// <summary>Renders errors in this API's format.</summary>
    internal static Func<ApiError, IResult> Error(TimeProvider time) => fault =>
    {
        var details = new BellaErrorDetails(fault.Message, ErrorType(fault));
        return Results.Json(new BellaError(fault.Status, fault.Message, time.GetUtcNow().ToUnixTimeMilliseconds(), details),
            BellaJson.Instance.BellaError, statusCode: fault.Status);
    };

    /// <summary>OpenAI's error type.</summary>
    internal static string ErrorType(ApiError fault) =>
        fault.Code == ApiErrors.QuotaExceeded ? "insufficient_quota" : fault.Status < 500 ? "invalid_request_error"
            : "internal_server_error";

    internal static readonly AnswerCaching NoCache = new("no-cache");

    private static async Task<IResult> RegisterAsync(HttpContext context, QueueService queues, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Instance.BellaRegisterBody, BodyLimits.One(options.Value));
        if (body.Queue is not { } name || !BellaMapping.IsName(name))
            throw BellaMapping.Wrong($"queue must be a name of {BellaMapping.NameRule}");
        if (body.Endpoint is not { Length: <= 256 } endpoint || string.IsNullOrWhiteSpace(endpoint) || !TextRules.IsPlain(endpoint))
            throw BellaMapping.Wrong("endpoint must be a text of 1 to 256 characters");
        context.AuditTarget($"queue/{name}");
        context.Demand(name);
        return await queues.CreateAsync(name, Delivery.Pull, QueueSettings.Default, endpoint, context.Access().Tenant) is not null
            ? Text(name) : throw BellaMapping.Wrong($"queue {name} exists already");
    }

    private static async Task<IResult> MetadataAsync(string queue, HttpContext context, QueueCatalog queues, IOptions<BellaOptions> options)
    {
        context.Demand(queue);
        if (await LookUpAsync(queues, queue) is not { } known || !context.Access().CanSeeQueue(known.Owner, known.Name))
            return options.Value.EmptyForUnknown ? Results.Ok() : throw NotRegistered(queue);
        return Results.Json(new BellaQueue(known.Name, known.Endpoint), BellaJson.Instance.BellaQueue);
    }

    private static async Task<IResult> PutAsync(HttpContext context, BellaPuts puts) =>
        await puts.AnswerAsync(await puts.AcceptAsync(context), context);

    private static async Task<IResult> TakeAsync(HttpContext context, QueueCatalog queues, TaskClaimer claims, BellaMapping mapping,
        IOptions<EngineOptions> options, IOptions<BellaOptions> bella)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Instance.BellaTakeBody, BodyLimits.One(options.Value));
        var request = BellaTakes.ToClaim(body, bella.Value) with
        {
            Credential = context.Access().Credential, Contact = new WorkerContact("bella", context.Access().Tenant),
        };
        var lending = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in request.Targets.Select(t => t.Queue).Distinct(StringComparer.Ordinal))
        {
            context.Demand(name);
            var queue = await FindAsync(queues, name);
            if (queue.Settings.SubmitterToken)
                lending.Add(name);
            if (queue.Delivery == Delivery.Push)
                throw BellaMapping.Wrong($"queue {name} is dispatched to bus workers and cannot be taken from");
        }

        var tasks = request.Max == 0 ? []
            : await claims.ClaimAsync(request, TimeSpan.Zero, context.RequestAborted, keep: context.Memory().Keep);
        return Results.Json(mapping.ToTaken(tasks, name => lending.Contains(name)), BellaJson.Instance.DictionaryStringListBellaTask);
    }

    private static async Task<IResult> CompleteAsync(string taskId, HttpContext context, BellaEvents events,
        IOptions<EngineOptions> options)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        if (body.RootElement.ValueKind != JsonValueKind.Object)
            throw BellaMapping.Wrong("the body must be a JSON object");
        if (NumberedTaskId.ParseAny(taskId) is { } id)
            await events.CompleteAsync(id, body.RootElement.GetRawText(), context.Access(), context.RequestAborted);
        return Text(taskId);
    }

    private static async Task<IResult> ProgressAsync(string taskId, HttpContext context, BellaEvents events,
        IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Instance.BellaProgressBody, BodyLimits.One(options.Value));
        var progress = new TaskProgress(Plain(body.EventId), body.EventName, body.EventData?.Text ?? "null");
        return NumberedTaskId.ParseAny(taskId) is { } id
            && await events.ProgressAsync(id, progress, context.Access(), context.RequestAborted)
            ? Text(taskId)
            : throw new ApiException(404, "not_found", $"no caller waits for task {taskId}");
    }

    /// <summary>Normalizes an event id, which workers send as a number or a string.</summary>
    private static string? Plain(RawJson? id)
    {
        if (id is not { Text: not "null" and var text } || !text.StartsWith('"'))
            return id is { Text: "null" } ? null : id?.Text;
        return TextRules.Read(JsonElement.Parse(text)) ?? throw BellaMapping.Wrong($"eventId: {TextRules.Rule}");
    }

    private static async Task<IResult> CancelAsync(string taskId, HttpContext context, TaskService taskService)
    {
        if (NumberedTaskId.ParseAny(taskId) is { } id)
            await taskService.CancelAsync(id, context.Access());
        return Results.Json(taskId, BellaJson.Instance.String, statusCode: StatusCodes.Status202Accepted);
    }

    private static IResult EventBus(HttpContext context, BusAddress bus)
    {
        var url = bus.RabbitMq is { } broker
            ? new UriBuilder(broker) { UserName = "", Password = "" }.Uri.ToString()
            : $"{context.Request.Scheme}://{context.Request.Host}/v1/queue";
        return Results.Json(new BellaEventBus(url, BellaBusEvent.Topic), BellaJson.Instance.BellaEventBus);
    }

    private static async Task<IResult> GetAsync(string taskId, HttpContext context, ITaskQueries queries, BellaMapping mapping,
        Redaction redaction)
    {
        var task = NumberedTaskId.ParseAny(taskId) is { } id
            ? await queries.FindAsync(id, context.Access(), context.Memory().ReserveAnswerAsync, context.RequestAborted) : null;
        return task is not null
            ? Results.Json(BellaMapping.Redact(mapping.ToTask(task), redaction.For(context.Caller())), BellaJson.Instance.BellaTask)
            : throw new ApiException(404, "not_found", $"there is no task {taskId}");
    }

    internal static async Task<QueueRecord> FindAsync(QueueCatalog queues, string name) =>
        await LookUpAsync(queues, name) ?? throw NotRegistered(name);

    internal static ApiException NotRegistered(string queue) => new(404, "not_found", $"queue {queue} is not registered");

    private static async Task<QueueRecord?> LookUpAsync(QueueCatalog queues, string name) =>
        QueueNames.IsValid(name) ? await queues.LookUpAsync(name) : null;

    private static IResult Text(string text) => Results.Json(text, BellaJson.Instance.String);
}
