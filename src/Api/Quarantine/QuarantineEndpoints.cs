using System.Globalization;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Quarantine;

/// <summary>Items that cannot be processed and were set aside, for operators.</summary>
internal static class QuarantineEndpoints
{
    private const int DefaultPage = 100, MaxPage = 1000;

    public static void MapQuarantine(this WebApplication app)
    {
        var items = app.MapGroup("/quarantine").WithTags("quarantine").AnswerFaults(ApiErrors.Problem).Needs(Scope.Admin);
        items.MapGet("", ListAsync).Produces<QuarantineList>().ProducesProblem(400)
            .TakesQuery("kind", "Only items of this kind.").TakesQuery("queue", "Only items of this queue.")
            .TakesWhole("limit", "1 to 1000; default 100.").TakesQuery("after", "Value of next from the previous page.")
            .WithSummary("List items that cannot be processed and were set aside, with their reasons.");
        items.MapPost("/{id}/release", ReleaseAsync).Audited("quarantine.release").Produces<QuarantineReleased>().ProducesProblem(404)
            .ProducesProblem(409)
            .WithSummary("Release an item for processing.");
        items.MapDelete("/{id}", DropAsync).Audited("quarantine.drop").Produces(204).ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Drop an item: a task is cancelled, a batch fails, an event or a callback is not sent.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, QuarantineService quarantine)
    {
        PageQuery.DemandKnown(context.Request, "kind", "queue", "limit", "after");
        var query = context.Request.Query;
        var limit = DefaultPage;
        if (query["limit"].FirstOrDefault() is { } text
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MaxPage))
            throw Wrong($"limit must be 1 to {MaxPage}");
        var after = 0L;
        if (query["after"].FirstOrDefault() is { Length: > 0 } place
            && !long.TryParse(place, NumberStyles.None, CultureInfo.InvariantCulture, out after))
            throw Wrong("after must be next of the page before");
        var (kind, queue) = (query["kind"].FirstOrDefault(), query["queue"].FirstOrDefault());
        var page = await quarantine.ListAsync(context.Access(), kind, queue, after, limit + 1, context.RequestAborted);
        var shown = page.Take(limit).Select(i => new QuarantineItem(i.Id, i.Kind, i.Subject, i.Queue, i.Owner, i.Reason, i.At, i.Count))
            .ToList();
        return Results.Json(new QuarantineList(shown, page.Count > limit ? shown[^1].Id : null), QuarantineJson.Instance.QuarantineList);
    }

    private static async Task<IResult> ReleaseAsync(string id, HttpContext context, QuarantineService quarantine)
    {
        var item = Demand(id, await quarantine.ReleaseAsync(Number(id), context.Access(), context.RequestAborted));
        return Results.Json(new QuarantineReleased(item.Id, item.Kind, item.Subject, "released"),
            QuarantineJson.Instance.QuarantineReleased);
    }

    private static async Task<IResult> DropAsync(string id, HttpContext context, QuarantineService quarantine)
    {
        Demand(id, await quarantine.DropAsync(Number(id), context.Access(), context.RequestAborted));
        return Results.NoContent();
    }

    private static QuarantinedItem Demand(string id, (QuarantinedItem? Item, string? Refusal) done) =>
        done.Item is not { } item ? throw NotFound(id)
        : done.Refusal is { } refusal ? throw new ApiException(409, "not_possible", refusal)
        : item;

    private static long Number(string id) =>
        long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw NotFound(id);

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no item {id} in quarantine");

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
