using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Keys;

/// <summary>Issues, lists, rotates and revokes issued keys. Configured keys are not included.</summary>
internal static class KeyEndpoints
{
    private const int MaxBody = 64 * 1024;
    private const int MaxOverlapSeconds = 7 * 24 * 3600;

    public static void MapKeys(this WebApplication app)
    {
        var keys = app.MapGroup("/keys").WithTags("keys").AnswerFaults(ApiErrors.Problem).Needs(Scope.Admin);
        keys.MapPost("", IssueAsync).Audited("key.issue").TakesJson<KeyBody>().Produces<KeyDetails>(201).ProducesProblem(400)
            .ProducesProblem(409)
            .WithSummary("Issue a key. Only this response contains its secret.");
        keys.MapGet("", ListAsync).Produces<KeyList>().WithSummary("List the issued keys, without their secrets.");
        keys.MapGet("/{id}", GetAsync).Produces<KeyDetails>().ProducesProblem(404).WithSummary("Get an issued key, without its secret.");
        keys.MapDelete("/{id}", RevokeAsync).Audited("key.revoke").Produces(204).ProducesProblem(404)
            .WithSummary("Revoke a key: every process refuses it within two seconds.");
        keys.MapPost("/{id}/rotate", RotateAsync).Audited("key.rotate").TakesJson<KeyRotateBody>().Produces<KeyDetails>()
            .ProducesProblem(400).ProducesProblem(404).ProducesProblem(409)
            .WithSummary("Replace the secret of a key. Only this response contains the new one.");
    }

    private static async Task<IResult> IssueAsync(HttpContext context, IIssuedKeyStore keys, ApiKeyStore store, IssuedKeys issued,
        IOptionsMonitor<LimitOptions> limits, TimeProvider time)
    {
        var body = await RequestJson.ReadAsync(context, KeyJson.Instance.KeyBody, MaxBody);
        if (!store.IsOn)
            throw new ApiException(409, "authentication_off",
                "without authentication a key protects nothing: configure a first key with the scope admin (TaskQueue:Auth:ApiKeys), and "
                    + "issue others with it");
        var caller = context.Caller();
        KeyRules.DemandPayloads(caller);
        var key = KeyMapping.ToRecord(body, caller, time);
        context.AuditTarget($"key/{key.Id}");
        KeyRules.DemandIssue(caller, key, limits.CurrentValue.Rate);
        var text = KeyDigest.NewKey();
        key.Hash = KeyDigest.Of(text).ToHex();
        await keys.AddAsync(key);
        await issued.RefreshAsync(CancellationToken.None);
        var details = KeyMapping.ToDetails(key);
        context.AuditAfter(details, KeyJson.Instance.KeyDetails);
        context.Response.Headers.Location = $"/keys/{key.Id}";
        return Results.Json(details with { Key = text }, KeyJson.Instance.KeyDetails, statusCode: 201);
    }

    private static async Task<IResult> ListAsync(HttpContext context, IIssuedKeyStore keys)
    {
        var caller = context.Caller();
        var list = await keys.ListAsync(caller.IsOperator ? null : caller.Tenant, context.RequestAborted);
        return Results.Json(new KeyList(list.ConvertAll(key => KeyMapping.ToDetails(key))), KeyJson.Instance.KeyList);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, IIssuedKeyStore keys) =>
        Results.Json(KeyMapping.ToDetails(await FindAsync(id, context, keys)), KeyJson.Instance.KeyDetails);

    private static async Task<IResult> RevokeAsync(string id, HttpContext context, IIssuedKeyStore keys, IssuedKeys issued)
    {
        var key = await FindToChangeAsync(id, context, keys);
        if (!context.Caller().IsOperator && key.QuotaText is not null)
            throw new ApiException(403, "forbidden", "this key holds the quota of the tenant; an operator revokes it");
        if (!await keys.RemoveAsync(key.Id))
            throw NotFound(id);
        await issued.RefreshAsync(CancellationToken.None);
        return Results.NoContent();
    }

    private static async Task<IResult> RotateAsync(string id, HttpContext context, IIssuedKeyStore keys, IssuedKeys issued,
        TimeProvider time)
    {
        var overlap = await HasBodyAsync(context)
            ? (await RequestJson.ReadAsync(context, KeyJson.Instance.KeyRotateBody, MaxBody)).OverlapSeconds ?? 0 : 0;
        if (overlap is < 0 or > MaxOverlapSeconds)
            throw KeyMapping.Wrong($"overlap_seconds must be 0 to {MaxOverlapSeconds}");
        var key = await FindToChangeAsync(id, context, keys);
        KeyRules.DemandPayloads(context.Caller());
        var text = KeyDigest.NewKey();
        DateTime? until = overlap == 0 ? null : Micros.Now(time).AddSeconds(overlap);
        if (!await keys.RotateAsync(key, KeyDigest.Of(text).ToHex(), until))
            throw new ApiException(409, "changed", $"key {id} was rotated or revoked at the same time; read it again");
        await issued.RefreshAsync(CancellationToken.None);
        key.PreviousUntil = until;
        var details = KeyMapping.ToDetails(key);
        context.AuditAfter(details, KeyJson.Instance.KeyDetails);
        return Results.Json(details with { Key = text }, KeyJson.Instance.KeyDetails);
    }

    private static async Task<bool> HasBodyAsync(HttpContext context)
    {
        var read = await context.Request.BodyReader.ReadAsync(context.RequestAborted);
        context.Request.BodyReader.AdvanceTo(read.Buffer.Start);
        return !read.Buffer.IsEmpty;
    }

    private static async Task<ApiKeyRecord> FindToChangeAsync(string id, HttpContext context, IIssuedKeyStore keys)
    {
        context.AuditTarget($"key/{id}");
        var key = await FindAsync(id, context, keys);
        context.AuditBefore(KeyMapping.ToDetails(key), KeyJson.Instance.KeyDetails);
        KeyRules.DemandChange(context.Caller(), key, context.RequestServices.GetRequiredService<IOptionsMonitor<LimitOptions>>()
            .CurrentValue.Rate);
        return key;
    }

    private static async Task<ApiKeyRecord> FindAsync(string id, HttpContext context, IIssuedKeyStore keys) =>
        Guid.TryParseExact(id, "D", out var guid) && await keys.FindAsync(guid, context.RequestAborted) is { } key
            && KeyRules.CanSee(context.Caller(), key) ? key : throw NotFound(id);

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no key {id}");
}
