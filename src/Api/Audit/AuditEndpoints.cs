using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Audit;

/// <summary>Reads audit records: all of them for an operator, those of its tenant for another administrator.</summary>
internal static class AuditEndpoints
{
    private const int DefaultPage = 100;
    private const int MaxPage = 1000;

    public static void MapAudit(this WebApplication app) =>
        app.MapGroup("/audit").WithTags("audit").AnswerFaults(ApiErrors.Problem).Needs(Scope.Admin)
            .MapGet("", ListAsync).Produces<AuditPage>().ProducesProblem(400)
            .TakesQuery("actor", "Name of the caller.").TakesQuery("tenant", "Tenant of the caller.")
                .TakesQuery("action", "Prefix of the action, such as queue.")
            .TakesQuery("target", "The target, such as queue/mail.")
                .TakesQuery("result", "Prefix of the result: done, refused or failed.")
            .TakesQuery("address", "Address of the caller.").TakesQuery("from", "Not earlier: ISO 8601 with a zone, or Unix seconds.")
                .TakesQuery("to", "Earlier.")
            .TakesWhole("limit", "1 to 1000; default 100.").TakesQuery("after", "Value of next from the previous page.")
            .WithSummary("Administrative acts, and what was refused, newest first.");

    private static async Task<IResult> ListAsync(HttpContext context, IAuditStore audit)
    {
        PageQuery.DemandKnown(
            context.Request, "actor", "tenant", "action", "target", "result", "address", "from", "to", "limit", "after");
        var query = context.Request.Query;
        var limit = Text("limit") is { } number ? Number(number, "limit", MaxPage) : DefaultPage;
        var after = Text("after") is { } next ? Number(next, "after", long.MaxValue) : (long?)null;
        var filter = new AuditFilter
        {
            Actor = Text("actor"), Tenant = Text("tenant"), Action = Text("action"), Target = Text("target"), Result = Text("result"),
            Address = Text("address"),
            From = Time("from"), To = Time("to"),
        };
        var caller = context.Caller();
        if (!caller.IsOperator)
        {
            if (filter.Tenant is not null && filter.Tenant != caller.Tenant)
                return Page([], null);
            filter = filter with { Tenant = caller.Tenant };
        }

        var records = await audit.ListAsync(filter, after, (int)limit, context.RequestAborted);
        return Page([.. records.Select(ToDetails)], records.Count == limit ? records[^1].Id.ToString(CultureInfo.InvariantCulture) : null);

        string? Text(string name) =>
            query[name].ToString() is not { Length: > 0 } text ? null : TextRules.IsClean(text) ? text
                : throw Wrong($"{name}: {TextRules.Rule}");

        DateTime? Time(string name) =>
            Text(name) is { } text ? PointInTime.Parse(text) ?? throw Wrong($"{name} must be {PointInTime.Rule}") : null;
    }

    private static long Number(string text, string name, long max) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max
            ? number
            : throw Wrong(max == MaxPage ? $"{name} must be 1 to {max}" : $"{name} must be next of another page");

    private static AuditDetails ToDetails(AuditRecord r) =>
        new(r.Id, r.At, r.Actor, r.Tenant, r.Action, r.Target, Raw(r.Before), Raw(r.After), r.Address, r.Result);

    private static RawJson? Raw(string? json) => json is null ? null : new RawJson(json);

    private static IResult Page(IReadOnlyList<AuditDetails> records, string? next) =>
        Results.Json(new AuditPage(records, next), AuditJson.Instance.AuditPage);

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
