using Google.Protobuf.Collections;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Rpc;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Requests;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Workers;

/// <summary>The native API for pull workers over gRPC: heartbeats and reports.</summary>
internal sealed class WorkersRpc(WorkerCalls calls)
{
    private Task<Wire.Answers> HeartbeatAsync(HttpContext context, Wire.HeartbeatRequest request) =>
        ApplyAsync(context, request.Tasks, heartbeat =>
        {
            var (entry, progress) = WorkerWire.ToEntry(heartbeat);
            return calls.ToCommand(entry, progress);
        });

    private Task<Wire.Answers> ReportAsync(HttpContext context, Wire.ReportRequest request) =>
        ApplyAsync(context, request.Tasks, report =>
        {
            var (entry, result) = WorkerWire.ToEntry(report);
            return calls.ToCommand(entry, result);
        });

    private Task<Wire.StoppedAnswer> StoppedAsync(HttpContext context, Wire.StoppedRequest request)
    {
        calls.Stopped(request.Worker, context.Access());
        return Task.FromResult(new Wire.StoppedAnswer());
    }

    /// <summary>Applies the valid entries; the request is refused if none is valid or too many are not.</summary>
    private async Task<Wire.Answers> ApplyAsync<TEntry>(HttpContext context, RepeatedField<TEntry> entries,
        Func<TEntry, AttemptCommand> toCommand)
    {
        if (entries.Count is 0 or > WorkerCalls.MaxEntries)
            throw WorkerCalls.Wrong(WorkerCalls.EntriesRule);
        var (invalid, read) = (new InvalidEntries(), new List<ReadEntry>(entries.Count));
        foreach (var entry in entries)
            read.Add(invalid.Check(ReadEntry.Of(entry, toCommand), read.Count));
        return WorkerWire.ToAnswers(read, await calls.ApplyAsync(read, context.Access()));
    }

    /// <summary>Its RPCs.</summary>
    internal sealed class Methods(IOptions<EngineOptions> options) : IServiceMethodProvider<WorkersRpc>
    {
        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<WorkersRpc> context)
        {
            var (one, many) = (BodyLimits.One(options.Value), BodyLimits.Many(options.Value));
            var methods = new RpcMethods<WorkersRpc>(context, RpcServices.Workers);
            RpcRule List(string name) =>
                new(name, Scope.Work, many) { MaxFields = WorkerCalls.MaxEntries + RpcRule.OtherFields, MaxEntryBytes = one };
            methods.Add(List("Heartbeat"), Wire.HeartbeatRequest.Parser,
                (own, http, request) => own.HeartbeatAsync(http, request));
            methods.Add(List("Report"), Wire.ReportRequest.Parser,
                (own, http, request) => own.ReportAsync(http, request));
            methods.Add(new RpcRule("Stopped", Scope.Work, MemoryBudget.SmallBytes), Wire.StoppedRequest.Parser,
                (own, http, request) => own.StoppedAsync(http, request));
        }
    }
}

/// <summary>Claims of pull workers over gRPC. The messages of their streams are small, so this service has a limit of its own.</summary>
internal sealed class ClaimsRpc(WorkerCalls calls, StreamQuota streams, Drain drain, TimeProvider time)
{
    /// <summary>Largest message: 100 names of queues, and what a worker tells about itself.</summary>
    public const int MaxBytes = 64 * 1024;

    private const int MaxFields = WorkerCalls.MaxQueues + RpcRule.OtherFields;

    private async Task ClaimAsync(
        HttpContext context, IAsyncStreamReader<Wire.ClaimRequest> requests, IServerStreamWriter<Wire.ClaimAnswer> answers)
    {
        using var stream = new ClaimStream(calls, streams, drain, time, context, requests, answers);
        await stream.ServeAsync();
    }

    /// <summary>Its RPC.</summary>
    internal sealed class Methods : IServiceMethodProvider<ClaimsRpc>
    {
        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<ClaimsRpc> context) =>
            new RpcMethods<ClaimsRpc>(context, RpcServices.Workers).AddStream<Wire.ClaimRequest, Wire.ClaimAnswer>(
                new RpcRule("Claim", Scope.Work, MaxBytes, MayWait: true, IsStream: true) { MaxFields = MaxFields },
                Wire.ClaimRequest.Parser, (own, http, requests, answers) => own.ClaimAsync(http, requests, answers));
    }
}

/// <summary>Registers and maps the workers' API over gRPC.</summary>
internal static class WorkerRpcRoutes
{
    public static IServiceCollection AddWorkerRpcs(this IServiceCollection services) =>
        services.AddSingleton<WorkerCalls>()
            .AddRpc<WorkersRpc, WorkersRpc.Methods>(sp => BodyLimits.Many(sp.GetRequiredService<IOptions<EngineOptions>>().Value))
            .AddRpc<ClaimsRpc, ClaimsRpc.Methods>(_ => ClaimsRpc.MaxBytes);

    public static void MapWorkerRpcs(this WebApplication app)
    {
        app.MapRpc<WorkersRpc>();
        app.MapRpc<ClaimsRpc>();
        app.MapNoRpc(RpcServices.Workers);
    }
}
