using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Adapters;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Tests.Ping;

/// <summary>A minimal additional API: submits a task and waits for its completion.</summary>
internal sealed class PingAdapter(TaskService tasks, ITaskQueries queries, CompletionWaiters waiters, TimeProvider time) : IHttpAdapter
{
    private const string Queue = "pings";

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    public void Map(IEndpointRouteBuilder app) =>
        app.MapPost("/ping-task", (Delegate)PingAsync).AnswerFaults(ApiErrors.Problem).Needs(Scope.Enqueue);

    private async Task<IResult> PingAsync(HttpContext context)
    {
        context.Demand(Queue);
        var id = TaskId.New(time);
        using var end = waiters.Register(id);
        await tasks.SubmitAsync(new TaskSubmission(id, Queue, "\"ping\"") { Owner = context.Access().Tenant });
        await end.Ended.WaitAsync(Longest, time, context.RequestAborted);
        var task = await queries.FindAsync(id, context.Access(), context.RequestAborted);
        return Results.Text(task!.Result, "application/json");
    }
}
