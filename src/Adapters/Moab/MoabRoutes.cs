using System.Text.Json.Serialization.Metadata;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>Maps RPCs with JSON under each of the API's paths.</summary>
/// <param name="groups">Route groups, the documented one first.</param>
internal sealed class MoabRoutes(IReadOnlyList<RouteGroupBuilder> groups)
{
    private static readonly MoabJson Json = MoabJson.Instance;

    public void MapQueues()
    {
        Add(MoabRpcs.CreateQueue, Json.MoabCreateQueueBody, Json.MoabQueueAnswer, "Create a queue.", 409, 429);
        Add(MoabRpcs.GetQueue, Json.MoabQueueBody, Json.MoabGetQueueAnswer, "Get a queue with its schedules and counts.", 404);
        Add(MoabRpcs.UpdateQueue, Json.MoabUpdateQueueBody, Json.MoabQueueAnswer,
            "Replace all settings of a queue; omitted settings are reset.", 404);
        Add(MoabRpcs.DeleteQueue, Json.MoabQueueBody, Json.MoabNothing, "Delete a queue with its tasks and schedules.", 404);
        Add(MoabRpcs.ListQueues, Json.MoabListQueuesBody, Json.MoabQueuesAnswer, "List queues by name, in pages.");
        Add(MoabRpcs.PurgeQueue, Json.MoabQueueBody, Json.MoabNothing, "Delete all tasks of a queue; its schedules stay.", 404);
    }

    public void MapTasks()
    {
        Add(MoabRpcs.Enqueue, Json.MoabEnqueueBody, Json.MoabTasksAnswer,
            "Enqueue a batch of tasks; returns those that are new or changed.", 404, 429);
        Add(MoabRpcs.Dequeue, Json.MoabDequeueBody, Json.MoabTasksAnswer,
            "Take due tasks without waiting; the response may be empty.", 404);
        Add(MoabRpcs.ReportStatus, Json.MoabReportBody, Json.MoabReportAnswer, "Report outcomes or heartbeats of deliveries.", 404);
        Add(MoabRpcs.GetTask, Json.MoabTaskBody, Json.MoabTaskAnswer, "Get a task.", 404);
        Add(MoabRpcs.ListTasks, Json.MoabListTasksBody, Json.MoabTaskPageAnswer, "List the tasks of a queue, in pages.", 404);
        Add(MoabRpcs.DeleteTasks, Json.MoabDeleteTasksBody, Json.MoabNothing, "Delete tasks in any state.", 404);
        Add(MoabRpcs.RestartTasks, Json.MoabRestartTasksBody, Json.MoabRestartAnswer, "Run dead tasks again.", 404);
    }

    public void MapSchedules()
    {
        Add(MoabRpcs.CreateSchedule, Json.MoabCreateScheduleBody, Json.MoabScheduleAnswer,
            "Create a schedule that enqueues a task at every tick.", 404, 409, 429);
        Add(MoabRpcs.GetSchedule, Json.MoabScheduleBody, Json.MoabScheduleAnswer, "Get a schedule.", 404);
        Add(MoabRpcs.UpdateSchedule, Json.MoabUpdateScheduleBody, Json.MoabScheduleAnswer,
            "Replace all settings of a schedule; omitted settings are reset.", 404);
        Add(MoabRpcs.DeleteSchedule, Json.MoabScheduleBody, Json.MoabNothing, "Delete a schedule; its tasks stay.", 404);
        Add(MoabRpcs.ListSchedules, Json.MoabListSchedulesBody, Json.MoabSchedulesAnswer,
            "List the schedules of a queue by name, in pages.", 404);
    }

    /// <summary>Answers unknown RPCs and other methods with the API's error format.</summary>
    public void MapRest()
    {
        foreach (var group in groups)
            group.Map("/{rpc}", NoRpc).Needs(Scope.None).AddEndpointFilter(PostOnlyAsync).ExcludeFromDescription();
    }

    /// <summary>Maps an RPC with JSON request and response.</summary>
    /// <param name="rpc">The RPC.</param>
    /// <param name="body">Reads the request.</param>
    /// <param name="answer">Writes the response.</param>
    /// <param name="summary">Summary for the OpenAPI document.</param>
    /// <param name="errors">Error statuses besides 400.</param>
    private void Add<TBody, TAnswer>(MoabRpc<TBody, TAnswer> rpc, JsonTypeInfo<TBody> body, JsonTypeInfo<TAnswer> answer, string summary,
        params IEnumerable<int> errors)
        where TBody : class
    {
        async Task<IResult> HandleAsync(HttpContext context) =>
            Results.Json(await rpc.Handle(context, await MoabBody.ReadAsync(context, body)), answer);

        var handler = (Delegate)HandleAsync;
        var documented = groups[0].MapPost($"/{rpc.Name}", handler).Needs(rpc.Scope).TakesJson<TBody>().Produces<TAnswer>()
            .WithSummary(summary);
        foreach (var status in errors.Prepend(400))
            documented.Produces<MoabError>(status);
        List<RouteHandlerBuilder> routes = [documented];
        foreach (var group in groups.Skip(1))
            routes.Add(group.Map($"/{rpc.Name}", handler).Needs(rpc.Scope).AddEndpointFilter(PostOnlyAsync).ExcludeFromDescription());
        if (rpc.Action is { } action)
            routes.ForEach(route => route.Audited(action));
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
