using Grpc.AspNetCore.Server.Model;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Rpc;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Tasks;

/// <summary>The native API for producers over gRPC.</summary>
internal sealed class TasksRpc(TaskCalls calls, TimeProvider time)
{
    private async Task<Wire.EnqueueAnswer> EnqueueAsync(HttpContext context, Wire.EnqueueRequest request)
    {
        var access = context.Access();
        var queued = await calls.EnqueueAsync((newId, now) => TaskWire.ToSubmission(request.Task, newId, now, access));
        return TaskWire.ToAnswer(queued.Id, queued.Status);
    }

    private async Task<Wire.EnqueueManyAnswer> EnqueueManyAsync(HttpContext context, Wire.EnqueueManyRequest request)
    {
        if (request.Tasks.Count is 0 or > TaskCalls.MaxMany)
            throw new ApiException(400, "invalid_request", $"tasks must be a list of 1 to {TaskCalls.MaxMany} tasks");
        var (now, access) = (time.GetUtcNow(), context.Access());
        var queued = await calls.EnqueueManyAsync([.. request.Tasks.Select((task, index) =>
            calls.ReadOne(index, newId => TaskWire.ToSubmission(task, newId, now, access)))]);
        var answer = new Wire.EnqueueManyAnswer();
        answer.Tasks.AddRange(queued.Ids.Zip(queued.Results, TaskWire.ToAnswer));
        return answer;
    }

    private async Task<Wire.TaskDetails> GetAsync(HttpContext context, Wire.GetRequest request)
    {
        context.Memory().ReleaseBody(); // it may wait
        return TaskWire.ToDetails(await calls.GetAsync(context, request.Id, TaskWaits.Of(request.WaitSeconds)));
    }

    private async Task<Wire.CancelAnswer> CancelAsync(HttpContext context, Wire.CancelRequest request)
    {
        await calls.CancelAsync(request.Id, context.Access());
        return new Wire.CancelAnswer();
    }

    /// <summary>Its RPCs.</summary>
    internal sealed class Methods(IOptions<EngineOptions> options) : IServiceMethodProvider<TasksRpc>
    {
        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<TasksRpc> context)
        {
            var (one, many) = (BodyLimits.One(options.Value), BodyLimits.Many(options.Value));
            var methods = new RpcMethods<TasksRpc>(context, RpcServices.Tasks);
            methods.Add(new RpcRule("Enqueue", Scope.Enqueue, one), Wire.EnqueueRequest.Parser,
                (own, http, request) => own.EnqueueAsync(http, request));
            var list = new RpcRule("EnqueueMany", Scope.Enqueue, many)
            {
                MaxFields = TaskCalls.MaxMany + RpcRule.OtherFields, MaxEntryBytes = one,
            };
            methods.Add(list, Wire.EnqueueManyRequest.Parser,
                (own, http, request) => own.EnqueueManyAsync(http, request));
            methods.Add(new RpcRule("Get", Scope.Read, MemoryBudget.SmallBytes, MayWait: true), Wire.GetRequest.Parser,
                (own, http, request) => own.GetAsync(http, request));
            methods.Add(new RpcRule("Cancel", Scope.Enqueue, MemoryBudget.SmallBytes), Wire.CancelRequest.Parser,
                (own, http, request) => own.CancelAsync(http, request));
        }
    }
}

/// <summary>Registers and maps the producers' API over gRPC.</summary>
internal static class TaskRpcRoutes
{
    public static IServiceCollection AddTaskRpcs(this IServiceCollection services) =>
        services.AddSingleton<TaskWaits>().AddSingleton<TaskCalls>()
            .AddRpc<TasksRpc, TasksRpc.Methods>(sp => BodyLimits.Many(sp.GetRequiredService<IOptions<EngineOptions>>().Value));

    public static void MapTaskRpcs(this WebApplication app)
    {
        app.MapRpc<TasksRpc>();
        app.MapNoRpc(RpcServices.Tasks);
    }
}
