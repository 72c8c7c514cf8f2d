using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Audit;

/// <summary>Marks a route whose use is audited.</summary>
/// <param name="Action">Audited action, such as <c>queue.purge</c>.</param>
/// <param name="OnlyWhenNoted">Whether to record only requests for which the handler adds a note.</param>
internal sealed record AuditedRoute(string Action, bool OnlyWhenNoted);

/// <summary>Details a handler adds to the audit record.</summary>
internal sealed class AuditNote
{
    public string? Target { get; set; }

    public string? Before { get; set; }

    public string? After { get; set; }
}

/// <summary>Audits administrative actions, declared where a route is mapped.</summary>
internal static class AuditedRoutes
{
    /// <summary>Records each request: a success before its response is sent, a failure soon after.</summary>
    /// <param name="route">The route; its group renders errors.</param>
    /// <param name="action">Audited action.</param>
    /// <param name="onlyWhenNoted">Whether to record only requests for which the handler adds a note.</param>
    public static T Audited<T>(this T route, string action, bool onlyWhenNoted = false)
        where T : IEndpointConventionBuilder =>
        route.WithMetadata(new AuditedRoute(action, onlyWhenNoted)).AddEndpointFilter(async (context, next) =>
            await AuditAsync(context.HttpContext, action, async () => await next(context), onlyWhenNoted));

    /// <summary>Handles a request and records it, where a route has no filters.</summary>
    /// <param name="context">The request.</param>
    /// <param name="action">Audited action.</param>
    /// <param name="handle">Handles the request.</param>
    /// <param name="onlyWhenNoted">Whether to record only requests for which the handler adds a note.</param>
    public static async Task<T> AuditAsync<T>(this HttpContext context, string action, Func<Task<T>> handle, bool onlyWhenNoted = false)
    {
        T result;
        try
        {
            result = await handle();
        }
        catch (Exception fault)
        {
            // Refusals are recorded by RefusalAudit.
            if (ApiErrors.ToFault(fault) is { Status: not 401 and not 403 and not 429 } failure && IsWanted(context, onlyWhenNoted))
                Log(context).RecordRefusal(EntryOf(context, action, $"failed: {failure.Code.ToLowerInvariant()}"), action);
            throw;
        }

        if (IsWanted(context, onlyWhenNoted))
            await Log(context).RecordAsync(EntryOf(context, action, AuditEntry.Done));
        return result;
    }

    /// <summary>Sets the target of the action.</summary>
    public static void AuditTarget(this HttpContext context, string target) => Note(context).Target = target;

    /// <summary>Sets the target if it belongs to another tenant than the caller's.</summary>
    public static void AuditForeign(this HttpContext context, string target, string? owner)
    {
        if (context.Caller() is { Name: not null } caller && owner != caller.Tenant)
            context.AuditTarget($"{target} of {owner}");
    }

    /// <summary>Records a queue before the action, without secrets.</summary>
    public static void AuditBefore(this HttpContext context, QueueRecord before) => Note(context).Before = Snapshots(context).Of(before);

    /// <summary>Records a queue after the action, without secrets.</summary>
    public static void AuditAfter(this HttpContext context, QueueRecord after) => Note(context).After = Snapshots(context).Of(after);

    /// <summary>Records a schedule before the action, without secrets.</summary>
    public static void AuditBefore(this HttpContext context, ScheduleRecord before) => Note(context).Before = Snapshots(context).Of(before);

    /// <summary>Records a schedule after the action, without secrets.</summary>
    public static void AuditAfter(this HttpContext context, ScheduleRecord after) => Note(context).After = Snapshots(context).Of(after);

    /// <summary>Records the state before the action, as JSON without secrets.</summary>
    public static void AuditBefore<T>(this HttpContext context, T before, JsonTypeInfo<T> type) =>
        Note(context).Before = JsonSerializer.Serialize(before, type);

    /// <summary>Records the state after the action, as JSON without secrets.</summary>
    public static void AuditAfter<T>(this HttpContext context, T after, JsonTypeInfo<T> type) =>
        Note(context).After = JsonSerializer.Serialize(after, type);

    private static IAuditSnapshots Snapshots(HttpContext context) => context.RequestServices.GetRequiredService<IAuditSnapshots>();

    private static bool IsWanted(HttpContext context, bool onlyWhenNoted) =>
        !onlyWhenNoted || context.Features.Get<AuditNote>() is not null;

    private static AuditEntry EntryOf(HttpContext context, string action, string result)
    {
        var note = context.Features.Get<AuditNote>();
        return Entry(context, action, result) with
        {
            Target = note?.Target ?? TargetOf(context),
            Before = note?.Before,
            After = result == AuditEntry.Done ? note?.After : null,
        };
    }

    internal static AuditEntry Entry(HttpContext context, string action, string result)
    {
        var caller = context.Caller();
        return new AuditEntry(action, result) { Actor = caller.Name, Tenant = caller.Tenant,
            Address = AuthFailures.Show(context.Connection.RemoteIpAddress) };
    }

    /// <summary>Derives the target from the route values.</summary>
    private static string? TargetOf(HttpContext context) =>
        (context.GetRouteValue("queue"), context.GetRouteValue("name")) switch
        {
            (string queue, string name) => $"schedule/{queue}/{name}",
            (null, string name) => $"queue/{name}",
            _ => null,
        };

    private static AuditNote Note(HttpContext context)
    {
        if (context.Features.Get<AuditNote>() is { } known)
            return known;
        var note = new AuditNote();
        context.Features.Set(note);
        return note;
    }

    internal static AuditLog Log(HttpContext context) => context.RequestServices.GetRequiredService<AuditLog>();
}
