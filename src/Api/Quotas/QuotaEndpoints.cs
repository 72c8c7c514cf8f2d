using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Quotas;

/// <summary>Limits and usage of a tenant.</summary>
internal static class QuotaEndpoints
{
    public static void MapQuotas(this WebApplication app) =>
        app.MapGroup("/quota").WithTags("operations").AnswerFaults(ApiErrors.Problem)
            .MapGet("", GetAsync).Needs(Scope.Read)
                .TakesQuery("tenant", "Another tenant, for administrators of all tenants. Default: the caller's.")
            .Produces<QuotaDetails>().ProducesProblem(400).ProducesProblem(403)
            .WithSummary("Get the limits and the usage of a tenant.");

    private static async Task<IResult> GetAsync(HttpContext context, QuotaUsage usage)
    {
        context.DemandTenant();
        PageQuery.DemandKnown(context.Request, "tenant");
        var (caller, tenant) = (context.Caller(), context.Caller().Tenant);
        if (context.Request.Query.TryGetValue("tenant", out var named))
        {
            if (named.Count != 1 || !CallerNames.IsValid(named[0]))
                throw new ApiException(400, "invalid_request", $"tenant must be {CallerNames.Rule}");
            if (named[0] != tenant && !caller.IsOperator)
                throw new ApiException(403, "forbidden", "only an administrator of all tenants may see the quota of another tenant");
            tenant = named[0];
        }

        return Results.Json(QuotaDetails.Of(tenant, await usage.ReadAsync(tenant, context.RequestAborted)),
            QuotaJson.Instance.QuotaDetails);
    }
}
