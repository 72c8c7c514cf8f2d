using System.Globalization;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Workers;

/// <summary>Lists and drains the workers of the caller's tenant; an administrator of all tenants sees every worker.</summary>
internal static class WorkerListEndpoints
{
    public static void MapWorkerList(this RouteGroupBuilder workers)
    {
        workers.MapGet("", ListAsync).Needs(Scope.Read).Produces<WorkerPage>().ProducesProblem(400)
            .TakesWhole("limit", "1 to 200; default 50.").TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("List workers, the latest started first: all that have claimed or reported within a day.");
        workers.MapPost("/{id}/drain", DrainAsync).Needs(Scope.Admin).Audited("worker.drain").Produces<Drained>(202).ProducesProblem(404)
            .ProducesProblem(409)
            .WithSummary("Ask a worker to finish its tasks and claim no more; told with the next answer that it gets.");
        workers.MapDelete("/{id}", RemoveAsync).Needs(Scope.Admin).Audited("worker.delete").Produces(204).ProducesProblem(404)
            .ProducesProblem(409)
            .WithSummary("Forget a worker that is lost, has stopped or drains.");
        workers.MapPost("/stopped", StoppedAsync).TakesJson<StoppedBody>().Produces(204).ProducesProblem(400)
            .WithSummary("A worker says goodbye, so that its silence is no loss.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, IWorkerStore store)
    {
        var query = PageQuery.Read(context.Request);
        var after = query.Cursor is { } text ? Parse(text) ?? throw PageQuery.WrongCursor() : null;
        var found = await store.ListAsync(context.Access(), after, query.Limit + 1, context.RequestAborted);
        var workers = found.Take(query.Limit).ToList();
        var running = await store.RunningAsync([.. workers.Select(w => w.Name).Distinct(StringComparer.Ordinal)], context.RequestAborted);
        var page = new WorkerPage(
            workers.ConvertAll(w => WorkerDetails.Of(w, running.GetValueOrDefault((w.Name, w.Credential)))),
            found.Count > query.Limit ? ToText(workers[^1]) : null);
        return Results.Json(page, WorkerListJson.Instance.WorkerPage);
    }

    private static async Task<IResult> DrainAsync(string id, HttpContext context, IWorkerStore store, WorkerRegistry registry)
    {
        var worker = await FindAsync(id, context, store);
        if (worker.Transport is not (null or WorkerContact.Http or WorkerContact.Grpc))
            throw new ApiException(409, "not_drainable",
                $"a worker of transport {worker.Transport} cannot be told to drain; stop its program instead");
        if (!await store.DrainAsync(id, context.RequestAborted))
            throw new ApiException(409, "not_active", "the worker is lost or has stopped; there is nothing to drain");
        registry.Drain(id);
        return Results.Json(new Drained(id, "draining"), WorkerListJson.Instance.Drained, statusCode: 202);
    }

    private static async Task<IResult> RemoveAsync(string id, HttpContext context, IWorkerStore store)
    {
        var worker = await FindAsync(id, context, store);
        if (worker is { State: WorkerState.Active, Draining: false })
            throw new ApiException(409, "active", "the worker is active and would be listed again; stop or drain it first");
        await store.RemoveAsync([id], context.RequestAborted);
        return Results.NoContent();
    }

    private static async Task<IResult> StoppedAsync(HttpContext context, WorkerCalls calls, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, WorkerListJson.Instance.StoppedBody, BodyLimits.One(options.Value));
        calls.Stopped(body.Worker, context.Access());
        return Results.NoContent();
    }

    private static async Task<WorkerRecord> FindAsync(string id, HttpContext context, IWorkerStore store)
    {
        context.AuditTarget($"worker/{(id.Length <= 64 && TextRules.IsPlain(id) ? id : "?")}");
        var worker = TextRules.IsPlain(id) ? await store.FindAsync(id, context.Access(), context.RequestAborted) : null;
        if (worker is null)
            throw new ApiException(404, "not_found", "there is no such worker");
        context.AuditBefore(WorkerDetails.Of(worker, running: 0), WorkerListJson.Instance.WorkerDetails);
        return worker;
    }

    private static string ToText(WorkerRecord worker) => $"{Micros.FromTime(worker.StartedAt)}-{worker.Id}";

    private static WorkerCursor? Parse(string text) =>
        text.Split('-') is [var micros, { Length: 32 } id] && id.All(char.IsAsciiHexDigitLower)
            && long.TryParse(micros, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
            && at < Micros.FromTime(DateTime.MaxValue)
            ? new WorkerCursor(Micros.ToTime(at), id) : null;
}
