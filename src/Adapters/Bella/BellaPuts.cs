using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Bella;

/// <summary>A put whose task is committed. Keeps nothing of the body.</summary>
/// <param name="Id">The task.</param>
/// <param name="At">When it was put.</param>
/// <param name="Life">Time until it expires.</param>
/// <param name="Caller">The waiting caller, or null.</param>
/// <param name="Counted">The caller's permit among the streams of its tenant, or null.</param>
internal sealed record AcceptedPut(NumberedTaskId Id, DateTimeOffset At, TimeSpan Life, WaitingCaller? Caller, IDisposable? Counted);

/// <summary>Accepts puts, and answers their callers immediately or when the task has ended.</summary>
internal sealed class BellaPuts(
    QueueCatalog queues, QueueRouter router, TaskService taskService, NumberedTaskIds ids, BellaMapping mapping, BellaCallers callers,
    StreamQuota streams,
    IOptions<EngineOptions> options, TimeProvider time)
{
    /// <summary>
    /// Reads a put and commits its task. A separate step, so that a waiting caller holds neither body nor payload in memory.
    /// </summary>
    /// <exception cref="ApiException">400, 404 or 503.</exception>
    public async Task<AcceptedPut> AcceptAsync(HttpContext context)
    {
        var body = await RequestJson.ReadAsync(context, BellaJson.Instance.BellaPutBody, BodyLimits.One(options.Value));
        BellaMapping.Check(body);
        var queue = string.IsNullOrWhiteSpace(body.Queue) ? await RouteAsync(body) : await BellaEndpoints.FindAsync(queues, body.Queue);
        context.Demand(queue.Name);
        while (true)
        {
            var id = ids.New(queue.Id, body.Level ?? 0, BellaMapping.ModeOf(body));
            try
            {
                if (await TryAcceptAsync(body, queue, id, context) is { } accepted)
                {
                    context.Memory().ReleaseBody();
                    return accepted;
                }
            }
            catch (TaskIdConflictException)
            {
                // Another process generated the same id for another tenant.
            }

            ids.DrawInstance();
        }
    }

    /// <summary>Answers immediately or when the task has ended, depending on the response mode.</summary>
    public async Task<IResult> AnswerAsync(AcceptedPut put, HttpContext context)
    {
        if (put.Caller is not { } caller)
            return Results.Json(new BellaPutAnswer(200, put.At.ToUnixTimeMilliseconds(), put.Id.ToString()),
                BellaJson.Instance.BellaPutAnswer);
        using (put.Counted)
        using (caller)
        {
            if (context.Features.Get<IStatusCodePagesFeature>() is { } pages)
                pages.Enabled = false; // the response is the worker's, or an empty 408 (bella.md 7.3)
            if (put.Id.Mode == NumberedTaskMode.Blocking)
                return await callers.BlockAsync(caller, put.Life, context);
            await callers.StreamAsync(caller, put.Life, context);
            return Results.Empty;
        }
    }

    /// <summary>Returns null if another process generated the same id.</summary>
    private async Task<AcceptedPut?> TryAcceptAsync(BellaPutBody body, QueueRecord queue, NumberedTaskId id, HttpContext context)
    {
        var now = time.GetUtcNow();
        var submission = mapping.ToSubmission(body, queue.Name, id, now, context.Caller());
        var counted = id.Mode == NumberedTaskMode.Callback ? null : streams.Open(context.Access().Tenant);
        WaitingCaller? caller = null;
        var isAccepted = false;
        try
        {
            caller = id.Mode == NumberedTaskMode.Callback ? null : callers.Open(submission.Id, id.Mode);
            isAccepted = await taskService.SubmitAsync(submission) is { Result: SubmitStatus.Accepted };
            if (isAccepted)
                caller?.Accepted();
            return isAccepted ? new AcceptedPut(id, now, mapping.LifeOf(body), caller, counted) : null;
        }
        finally
        {
            if (!isAccepted)
            {
                caller?.Dispose();
                counted?.Dispose();
            }
        }
    }

    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private async Task<QueueRecord> RouteAsync(BellaPutBody body)
    {
        using var data = JsonDocument.Parse(body.Data!.Value.Text, AnyDepth);
        var model = TextRules.Read(data.RootElement, "model");
        if (model is null)
            throw BellaMapping.Wrong("queue is missing, and data.model names no model to find one by");
        return await router.FindAsync(body.Endpoint!, model)
            ?? throw BellaMapping.Wrong($"queue is missing, and there is none for model {model} at {body.Endpoint}");
    }
}
