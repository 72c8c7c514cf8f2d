using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Bulk;

/// <summary>Operations on many tasks, which run in the background.</summary>
internal static class BulkEndpoints
{
    public static void MapBulkOperations(this WebApplication app)
    {
        var operations = app.MapGroup("/operations").WithTags("operations").AnswerFaults(ApiErrors.Problem);
        operations.MapPost("", CreateAsync).Needs(Scope.Enqueue).Audited("operation.create", onlyWhenNoted: true)
            .TakesJson<BulkOperationBody>().Produces<BulkOperationDetails>(202).Produces<BulkOperationPreview>().ProducesProblem(400)
            .ProducesProblem(403).ProducesProblem(409).ProducesProblem(413)
            .WithSummary("Retry, cancel, delete, move or edit many tasks, by their ids or by a search; with dry_run only count them.");
        operations.MapGet("", ListAsync).Needs(Scope.Read).Produces<BulkOperationList>().ProducesProblem(400)
            .TakesWhole("limit", "1 to 200; default 50.").TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("List operations, newest first.");
        operations.MapGet("/{id}", GetAsync).Needs(Scope.Read).Produces<BulkOperationDetails>().ProducesProblem(404)
            .WithSummary("Get an operation with its progress.");
        Verb("pause", "Stop an operation until it is resumed; a step that has begun ends.",
            (service, operation, _, cancellationToken) => service.PauseAsync(operation, cancellationToken));
        Verb("resume", "Continue a paused operation.",
            (service, operation, _, cancellationToken) => service.ResumeAsync(operation, cancellationToken));
        Verb("cancel", "End an operation; what it has done stays.",
            (service, operation, _, cancellationToken) => service.CancelAsync(operation, cancellationToken));
        Verb("undo", "Put back what an ended operation has changed, as far as that is possible.",
            (service, operation, access, cancellationToken) => service.UndoAsync(operation, access, cancellationToken));

        void Verb(string verb, string summary, Func<BulkOperationService, BulkOperation, Access, CancellationToken, Task<bool>> change) =>
            operations.MapPost($"/{{id}}/{verb}",
                    (string id, HttpContext context, BulkOperationService service, IBulkOperationStore store, Redaction redaction) =>
                        ChangeAsync(id, verb, change, context, service, store, redaction))
                .Needs(Scope.Enqueue).Audited($"operation.{verb}").Produces<BulkOperationDetails>().ProducesProblem(404)
                .ProducesProblem(409).WithSummary(summary);
    }

    private static async Task<IResult> CreateAsync(HttpContext context, BulkOperationService service, Redaction redaction)
    {
        var body = await RequestJson.ReadAsync(context, BulkOperationJson.Instance.BulkOperationBody, BulkRequest.MaxBytes);
        context.DemandTenant();
        var (access, redactor) = (context.Access(), redaction.For(context.Caller()));
        var wanted = BulkRequest.Read(body, access);
        if (wanted.TargetQueue is { } target)
            context.Demand(target);
        DemandNothingHidden(wanted, redactor);
        DemandReader(context.Caller(), wanted, body.DryRun == true);
        if (body.DryRun == true)
        {
            var preview = await service.PreviewAsync(wanted, access, context.RequestAborted);
            return Results.Json(new BulkOperationPreview(preview.Total.Count, preview.Total.Exact, preview.Samples),
                BulkOperationJson.Instance.BulkOperationPreview);
        }

        var operation = await service.CreateAsync(wanted, access, context.Caller().Name, context.RequestAborted)
            ?? throw new ApiException(409, "too_many_operations",
                "too many operations of this tenant have not ended: wait for one, or cancel one");
        context.AuditTarget($"operation/{operation.Id}");
        context.AuditAfter(BulkMapping.ToAudit(operation), BulkOperationJson.Instance.BulkOperationCreated);
        return Results.Json(
            BulkMapping.ToDetails(operation, redactor), BulkOperationJson.Instance.BulkOperationDetails, statusCode: 202);
    }

    /// <summary>What a search finds, a dry run counts, and the tests of a patch tell of tasks is for those who may read them.</summary>
    private static void DemandReader(Caller caller, NewBulkOperation wanted, bool isDryRun)
    {
        var search = wanted.Selection.Search;
        var what = search is not null ? "a selection by search" : isDryRun ? "dry_run" : wanted.Action == BulkAction.Edit ? "action edit"
            : null;
        if (what is null)
            return;
        var read = caller.Access(Scope.Read);
        var isReader = search?.Queue is { } queue ? read.Allows(queue)
            : read.Own.Or(read.Others).Covers(caller.Access(Scope.Enqueue).Own);
        if (!isReader)
        {
            throw new ApiException(403, "forbidden", $"{what} tells about tasks, so it needs the scope read as well, in all queues of this "
                + "key or in that of selection.search; use a key with it, or select tasks by their ids");
        }
    }

    /// <summary>A patch could copy a hidden value to where it is shown, or tell by its tests what it is.</summary>
    private static void DemandNothingHidden(NewBulkOperation wanted, Redactor redactor)
    {
        if (redactor.IsOn && wanted.Selection.Search?.Error is not null)
            throw new ApiException(403, "forbidden", "errors are redacted for this caller, so it cannot search by error; omit error");
        if (redactor.IsOn && wanted.Action == BulkAction.Edit)
            throw new ApiException(403, "forbidden", "payloads are redacted for this caller, so it cannot edit them");
    }

    private static async Task<IResult> ListAsync(HttpContext context, IBulkOperationStore store)
    {
        var query = PageQuery.Read(context.Request);
        var before = query.Cursor is not { } cursor ? (Guid?)null
            : Guid.TryParseExact(cursor, "N", out var id) ? id : throw PageQuery.WrongCursor();
        context.DemandTenant();
        var page = await store.ListAsync(before, query.Limit + 1, context.Access(), context.RequestAborted);
        var shown = page.Take(query.Limit).ToList();
        return Results.Json(
            new BulkOperationList([.. shown.Select(BulkMapping.ToItem)], page.Count > query.Limit ? $"{shown[^1].Id:N}" : null),
            BulkOperationJson.Instance.BulkOperationList);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, IBulkOperationStore store, Redaction redaction)
    {
        PageQuery.DemandKnown(context.Request);
        return Results.Json(BulkMapping.ToDetails(await FindAsync(id, context, store), redaction.For(context.Caller())),
            BulkOperationJson.Instance.BulkOperationDetails);
    }

    private static async Task<IResult> ChangeAsync(
        string id, string verb, Func<BulkOperationService, BulkOperation, Access, CancellationToken, Task<bool>> change,
        HttpContext context, BulkOperationService service, IBulkOperationStore store, Redaction redaction)
    {
        PageQuery.DemandKnown(context.Request);
        context.AuditTarget($"operation/{id}");
        var before = await FindAsync(id, context, store);
        if (!await change(service, before, context.Access(), context.RequestAborted))
        {
            throw new ApiException(409, "not_allowed", verb == "undo" && !before.CanUndo
                ? $"operation {id} cannot be undone: it has not ended, has changed nothing that can be put back, or too much"
                : $"operation {id} is {BulkMapping.Word(before.State)}, so {verb} is not possible");
        }

        var after = await FindAsync(id, context, store);
        context.AuditBefore(new BulkOperationChange(BulkMapping.Word(before.State)), BulkOperationJson.Instance.BulkOperationChange);
        context.AuditAfter(new BulkOperationChange(BulkMapping.Word(after.State)), BulkOperationJson.Instance.BulkOperationChange);
        var shown = IsReader(context.Caller(), after) ? BulkMapping.ToDetails(after, redaction.For(context.Caller()))
            : BulkMapping.ToItem(after);
        return Results.Json(shown, BulkOperationJson.Instance.BulkOperationDetails);
    }

    /// <summary>Whether a caller that may change an operation would be shown it, too.</summary>
    private static bool IsReader(Caller caller, BulkOperation operation)
    {
        var read = caller.Access(Scope.Read);
        return caller.Scopes.HasFlag(Scope.Read) && (read.CanRead(operation.Owner, operation.Queue)
            || (operation.Credential is { } creator && creator == read.Credential && operation.Owner == read.Tenant));
    }

    private static async Task<BulkOperation> FindAsync(string id, HttpContext context, IBulkOperationStore store)
    {
        context.DemandTenant();
        return (Guid.TryParse(id, out var guid) ? await store.FindAsync(guid, context.Access(), context.RequestAborted) : null)
            ?? throw new ApiException(404, "not_found", $"there is no operation {id}");
    }
}
