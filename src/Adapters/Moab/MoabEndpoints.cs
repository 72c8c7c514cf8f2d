using Microsoft.Extensions.DependencyInjection.Extensions;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>
/// The API of Moab's clients: an RPC is a call of gRPC, or a POST of JSON to <c>/moab/{Rpc}</c> or to its gRPC path. All are equivalent;
/// the OpenAPI document lists the second.
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
        services.AddSingleton<MoabTaskPages>().AddSingleton<MoabQueueRpcs>().AddSingleton<MoabTaskRpcs>().AddSingleton<MoabReports>()
            .AddSingleton<MoabScheduleRpcs>();
        return services.AddMoabGrpc();
    }

    public static void MapMoab(this WebApplication app)
    {
        var routes = new MoabRoutes([Group(app, "/moab"), Group(app, $"/{MoabGrpc.Preview}").WithMetadata(new JsonRoute())]);
        routes.MapQueues();
        routes.MapTasks();
        routes.MapSchedules();
        routes.MapRest();
        app.MapMoabGrpc();
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

    /// <summary>The API's name of an error.</summary>
    public static string CodeOf(int status) => Codes.GetValueOrDefault(status, "INTERNAL");

    private static IResult Error(ApiError fault) =>
        Results.Json(new MoabError(CodeOf(fault.Status), fault.Message, fault.Details ?? new Dictionary<string, string>()),
            MoabJson.Instance.MoabError, statusCode: fault.Status);
}
