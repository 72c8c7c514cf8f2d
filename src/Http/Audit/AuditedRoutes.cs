using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Engine.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Audit;

/// <summary>A route whose use is recorded.</summary>
/// <param name="Action">What it does, such as <c>queue.purge</c>.</param>
/// <param name="OnlyWhenNoted">Whether only the requests count for which the handler notes something.</param>
internal sealed record AuditedRoute(string Action, bool OnlyWhenNoted);

/// <summary>What the handler of a route adds to its record.</summary>
internal sealed class AuditNote
{
    public string? Target { get; set; }

    public string? Before { get; set; }

    public string? After { get; set; }
}

/// <summary>Records administrative acts, said where a route is mapped.</summary>
internal static class AuditedRoutes
{
    /// <summary>Records each request: what succeeds before its answer is sent, what fails soon after.</summary>
    /// <param name="route">The route; its group answers faults.</param>
    /// <param name="action">What it does.</param>
    /// <param name="onlyWhenNoted">Whether only requests count that the handler notes.</param>
    public static T Audited<T>(this T route, string action, bool onlyWhenNoted = false)
        where T : IEndpointConventionBuilder =>
        route.WithMetadata(new AuditedRoute(action, onlyWhenNoted)).AddEndpointFilter(async (context, next) =>
        {
            var http = context.HttpContext;
            object? result;
            try
            {
                result = await next(context);
            }
            catch (Exception fault)
            {
                // Refusals are recorded where they are answered.
                if (ApiErrors.ToFault(fault) is { Status: not 401 and not 403 and not 429 } failure && IsWanted(http, onlyWhenNoted))
                    Log(http).RecordRefusal(EntryOf(http, action, $"failed: {failure.Code.ToLowerInvariant()}"), action);
                throw;
            }

            if (IsWanted(http, onlyWhenNoted))
                await Log(http).RecordAsync(EntryOf(http, action, AuditEntry.Done));
            return result;
        });

    /// <summary>How queues and schedules are recorded.</summary>
    public static IAuditSnapshots Snapshots(this HttpContext context) => context.RequestServices.GetRequiredService<IAuditSnapshots>();

    /// <summary>Says what an act was done to.</summary>
    public static void AuditTarget(this HttpContext context, string target) => Note(context).Target = target;

    /// <summary>Records what was there before an act: JSON without secrets.</summary>
    public static void AuditBefore(this HttpContext context, string before) => Note(context).Before = before;

    /// <summary>Records what is there after an act: JSON without secrets.</summary>
    public static void AuditAfter(this HttpContext context, string after) => Note(context).After = after;

    /// <summary>Says what was there before an act, as JSON without secrets.</summary>
    public static void AuditBefore<T>(this HttpContext context, T before, JsonTypeInfo<T> type) =>
        Note(context).Before = JsonSerializer.Serialize(before, type);

    /// <summary>Says what is there after an act, as JSON without secrets.</summary>
    public static void AuditAfter<T>(this HttpContext context, T after, JsonTypeInfo<T> type) =>
        Note(context).After = JsonSerializer.Serialize(after, type);

    private static bool IsWanted(HttpContext context, bool onlyWhenNoted) =>
        !onlyWhenNoted || context.Features.Get<AuditNote>() is not null;

    private static AuditEntry EntryOf(HttpContext context, string action, string result)
    {
        var note = context.Features.Get<AuditNote>();
        return Entry(context, action, result) with { Target = note?.Target
            ?? TargetOf(context), Before = note?.Before, After = result == AuditEntry.Done ? note?.After : null };
    }

    internal static AuditEntry Entry(HttpContext context, string action, string result)
    {
        var caller = context.Caller();
        return new AuditEntry(action, result) { Actor = caller.Name, Tenant = caller.Tenant,
            Address = AuthFailures.Show(context.Connection.RemoteIpAddress) };
    }

    /// <summary>What the values of the route name.</summary>
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
