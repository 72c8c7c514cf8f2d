using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Agent;

/// <summary>The agent API: accepts a query immediately; its status is polled later (dtq-and-wippy.md A3).</summary>
internal static class AgentEndpoints
{
    public static void MapAgent(this WebApplication app)
    {
        app.MapGroup("/agent").WithTags("agent").AnswerFaults(fault => ToError(fault, "Async request processing failed"))
            .Needs(Scope.Enqueue).ForKeysOnly()
            .MapPost("/process-async", ProcessAsync).TakesJson<AgentBody>().Produces<AgentQueued>().Produces<AgentError>(401)
                .Produces<AgentError>(413)
            .Produces<AgentProblems>(422).Produces<AgentError>(429).Produces<AgentError>(500).Produces<AgentError>(503)
            .WithSummary("Accept a query: {\"query\"}, and optionally user_id, session_id, metadata, context. It expires if "
                + "processing has not started within 24 h.");
        app.MapGroup("/agent").WithTags("agent").AnswerFaults(fault => ToError(fault, "Get task status failed")).Needs(Scope.Read)
            .ForKeysOnly()
            .MapGet("/task-status/{id}", StatusAsync).Produces<AgentStatus>().Produces<AgentError>(401).Produces<AgentError>(404)
                .Produces<AgentError>(500).Produces<AgentError>(503)
            .WithSummary("Status of a task: pending, processing, completed, failed, retrying, cancelled. Takes an id of this API, or the "
                + "UUID of any task.");
    }

    private static async Task<IResult> ProcessAsync(
        HttpContext context, TaskService taskService, TimeProvider time, IOptions<EngineOptions> options, IOptions<AgentOptions> agent)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        context.Demand(agent.Value.Queue);
        TaskSubmission task;
        try
        {
            task = AgentRequest.Read(body.RootElement, TaskId.New(time), agent.Value.Queue, context.Access().Tenant, time.GetUtcNow());
        }
        catch (AgentRequestException wrong)
        {
            return Results.Json(new AgentProblems(wrong.Problems), AgentJson.Instance.AgentProblems, statusCode: 422);
        }

        if ((await taskService.SubmitAsync(task)).Result != SubmitStatus.Accepted)
            throw new ApiException(500, "not_queued", "Failed to enqueue task");
        return Results.Json(new AgentQueued(AgentMapping.ToId(task.Id), "enqueued", "Request has been queued for asynchronous processing"),
            AgentJson.Instance.AgentQueued);
    }

    private static async Task<IResult> StatusAsync(string id, HttpContext context, ITaskQueries queries, Redaction redaction,
        TimeProvider time, CancellationToken cancellationToken) =>
        AgentMapping.ParseId(id) is { } guid
            && await queries.FindAsync(guid, context.Access(), context.Memory().ReserveAnswerAsync, cancellationToken) is { } task
            && AgentMapping.ToStatus(task, id, time.GetUtcNow().UtcDateTime, redaction.For(context.Caller())) is { } status
            ? Results.Json(status, AgentJson.Instance.AgentStatus)
            : throw new ApiException(404, "not_found", "Task not found");

    /// <summary>Renders an error in the API's format.</summary>
    private static IResult ToError(ApiError fault, string what) =>
        fault.Code switch
        {
            "invalid_json" =>
                Results.Json(new AgentProblems([new(["body"], $"JSON decode error: {fault.Message}", "json_invalid")]),
                    AgentJson.Instance.AgentProblems, statusCode: 422),
            "invalid_task" =>
                Results.Json(new AgentRefused(new("Validation failed", fault.Message, [])), AgentJson.Instance.AgentRefused,
                    statusCode: 422),
            _ => Results.Json(new AgentError(fault.Status switch
            {
                401 => "Unauthorized",
                503 => "Task queue not available",
                500 when fault.Code != "not_queued" => $"{what}: {fault.Message}",
                _ => fault.Message,
            }), AgentJson.Instance.AgentError, statusCode: fault.Status),
        };
}
