using Microsoft.Extensions.DependencyInjection.Extensions;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>
/// The API of Moab's clients: an RPC is a POST of JSON to <c>/moab/{Rpc}</c>, or to its gRPC path. Both are equivalent; the OpenAPI
/// document lists the first.
/// </summary>
internal static class MoabEndpoints
{
    private static readonly Dictionary<int, string> Codes = new()
    {
        [400] = "INVALID_ARGUMENT",
        [401] = "UNAUTHENTICATED",
        [403] = "PERMISSION_DENIED",
        [404] = "NOT_FOUND",
        [405] = "UNIMPLEMENTED",
        [408] = "DEADLINE_EXCEEDED",
        [409] = "ALREADY_EXISTS",
        [413] = "INVALID_ARGUMENT",
        [415] = "INVALID_ARGUMENT",
        [429] = "RESOURCE_EXHAUSTED",
        [501] = "UNIMPLEMENTED",
        [503] = "UNAVAILABLE",
    };

    public static IServiceCollection AddMoab(this IServiceCollection services)
    {
        services.AddOptions<MoabOptions>().BindConfiguration("TaskQueue:Moab").ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton<MoabTaskIds>();
        return services.AddSingleton<MoabTaskPages>();
    }

    public static void MapMoab(this WebApplication app)
    {
        var routes = new MoabRoutes([Group(app, "/moab"), Group(app, "/com.evrblk.moab.preview.MoabPreviewApi")]);
        routes.MapQueues();
        routes.MapTasks();
        routes.MapSchedules();
        routes.MapRest();
    }

    /// <summary>Finds a declared queue.</summary>
    /// <exception cref="ApiException">403 or 404.</exception>
    public static async Task<QueueRecord> FindQueueAsync(HttpContext context, QueueCatalog queues, string name)
    {
        context.Demand(name);
        return await queues.LookUpAsync(name) ?? throw NoQueue(name);
    }

    public static ApiException NoQueue(string name) => new(404, Codes[404], $"there is no queue {name}", Details("queue_name", name));

    /// <summary>The version a change expects; null: any.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static int? ExpectedVersion(long? version) =>
        MoabFields.Count(version, "expected_version") is > 0 and var expected ? expected : null;

    public static ApiException WrongVersion(int? expected, int? actual) =>
        MoabFields.Wrong($"expected_version is {expected}, but the version is {actual}", Details("actual_version", $"{actual}"));

    public static ApiException Taken(string message, string key, string name) => new(409, Codes[409], message, Details(key, name));

    public static ApiException Exhausted(string message, int limit) => new(429, Codes[429], message, Details("limit", $"{limit}"));

    private static Dictionary<string, string> Details(string key, string value) => new() { [key] = value };

    private static RouteGroupBuilder Group(WebApplication app, string path) =>
        app.MapGroup(path).WithTags("moab").AnswerFaults(Error).ForKeysOnly();

    private static IResult Error(ApiError fault) =>
        Results.Json(
            new MoabError(
                Codes.GetValueOrDefault(fault.Status, "INTERNAL"), fault.Message, fault.Details ?? new Dictionary<string, string>()),
            MoabJson.Instance.MoabError, statusCode: fault.Status);
}

/// <summary>Maps RPCs under each of the API's paths.</summary>
/// <param name="groups">Route groups, the documented one first.</param>
internal sealed class MoabRoutes(IReadOnlyList<RouteGroupBuilder> groups)
{
    /// <summary>Audited RPCs, with the action names shared by all APIs.</summary>
    private static readonly Dictionary<string, string> Acts = new()
    {
        ["CreateQueue"] = "queue.put",
        ["UpdateQueue"] = "queue.put",
        ["DeleteQueue"] = "queue.delete",
        ["PurgeQueue"] = "queue.purge",
        ["CreateSchedule"] = "schedule.put",
        ["UpdateSchedule"] = "schedule.put",
        ["DeleteSchedule"] = "schedule.delete",
    };

    /// <summary>Maps an RPC with JSON request and response.</summary>
    /// <param name="rpc">Name of the RPC.</param>
    /// <param name="scope">Required scope.</param>
    /// <param name="handler">The handler.</param>
    /// <param name="summary">Summary for the OpenAPI document.</param>
    /// <param name="errors">Error statuses besides 400.</param>
    public void Add<TBody, TAnswer>(string rpc, Scope scope, Delegate handler, string summary, params IEnumerable<int> errors)
    {
        var documented = groups[0].MapPost($"/{rpc}", handler).Needs(scope).TakesJson<TBody>().Produces<TAnswer>().WithSummary(summary);
        foreach (var status in errors.Prepend(400))
            documented.Produces<MoabError>(status);
        List<RouteHandlerBuilder> routes = [documented];
        foreach (var group in groups.Skip(1))
            routes.Add(group.Map($"/{rpc}", handler).Needs(scope).AddEndpointFilter(PostOnlyAsync).ExcludeFromDescription());
        if (Acts.TryGetValue(rpc, out var act))
            routes.ForEach(route => route.Audited(act));
    }

    /// <summary>Answers unknown RPCs and other methods with the API's error format.</summary>
    public void MapRest()
    {
        foreach (var group in groups)
            group.Map("/{rpc}", NoRpc).Needs(Scope.None).AddEndpointFilter(PostOnlyAsync).ExcludeFromDescription();
    }

    private static IResult NoRpc(string rpc) => throw new ApiException(501, "UNIMPLEMENTED", $"there is no RPC {rpc}");

    private static ValueTask<object?> PostOnlyAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (HttpMethods.IsPost(context.HttpContext.Request.Method))
            return next(context);
        context.HttpContext.Response.Headers.Allow = HttpMethods.Post;
        throw new ApiException(405, "UNIMPLEMENTED", "an RPC is a POST");
    }
}
