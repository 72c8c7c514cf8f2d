using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using TaskQueue.Api.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Bella;

/// <summary>Accepts the tasks of puts, and answers their callers at once or when the task has ended.</summary>
internal sealed class BellaPuts(QueueCatalog queues, QueueRouter router, TaskVerbs verbs, BellaTaskIds ids, BellaMapping mapping, BellaCallers callers, StreamQuota streams, TimeProvider time)
{
    /// <exception cref="Http.DoorException">400, 404 or 503.</exception>
    public async Task<IResult> PutAsync(BellaPutBody body, HttpContext context)
    {
        BellaMapping.Check(body);
        var queue = string.IsNullOrWhiteSpace(body.Queue) ? await RouteAsync(body) : await BellaEndpoints.FindAsync(queues, body.Queue);
        context.Demand(queue.Name);
        while (true)
        {
            var id = ids.New(queue.Id, body.Level ?? 0, BellaMapping.ModeOf(body));
            try
            {
                if (await TryPutAsync(body, queue, id, context) is { } answer)
                    return answer;
            }
            catch (TaskIdConflictException)
            {
                // Another process has made the same id, for another tenant.
            }

            ids.DrawInstance();
        }
    }

    /// <summary>Null where another process has made the same id.</summary>
    private async Task<IResult?> TryPutAsync(BellaPutBody body, QueueRecord queue, BellaTaskId id, HttpContext context)
    {
        var now = time.GetUtcNow();
        var submission = mapping.ToSubmission(body, queue.Name, id, now, context.Caller());
        if (id.Mode == BellaMode.Callback)
        {
            return await verbs.SubmitAsync(submission) is { Result: Admitted.Accepted }
                ? Results.Json(new BellaPutAnswer(200, now.ToUnixTimeMilliseconds(), id.ToString()), BellaJson.Shapes.BellaPutAnswer)
                : null;
        }

        using var counted = streams.Open(context.Access().Tenant);
        if (context.Features.Get<IStatusCodePagesFeature>() is { } pages)
            pages.Enabled = false; // the answer is the worker's, or an empty 408 (bella.md 7.3)
        using var caller = callers.Open(submission.Id, id.Mode);
        if (await verbs.SubmitAsync(submission) is not { Result: Admitted.Accepted })
            return null;
        caller.Accepted();
        if (id.Mode == BellaMode.Blocking)
            return await callers.BlockAsync(caller, mapping.LifeOf(body), context.RequestAborted);
        await callers.StreamAsync(caller, mapping.LifeOf(body), context);
        return Results.Empty;
    }

    private async Task<QueueRecord> RouteAsync(BellaPutBody body)
    {
        using var data = JsonDocument.Parse(body.Data!.Value.Text);
        var model = data.RootElement.TryGetProperty("model", out var m) && m.ValueKind == JsonValueKind.String ? m.GetString() : null;
        if (model is null)
            throw BellaMapping.Wrong("queue is missing, and data.model names no model to find one by");
        return await router.FindAsync(body.Endpoint!, model) ?? throw BellaMapping.Wrong($"queue is missing, and there is none for model {model} at {body.Endpoint}");
    }
}
