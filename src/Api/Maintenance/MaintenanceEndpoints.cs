using TaskQueue.Engine.Auth;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Scheduler.Maintenance;

namespace TaskQueue.Api.Maintenance;

/// <summary>Maintenance jobs, for administrators of all tenants.</summary>
internal static class MaintenanceEndpoints
{
    public static void MapMaintenance(this WebApplication app)
    {
        var jobs = app.MapGroup("/maintenance").WithTags("operations").AnswerFaults(ApiErrors.Problem).Needs(Scope.Admin);
        jobs.MapGet("", ListAsync).Produces<MaintenanceList>().ProducesProblem(403)
            .WithSummary("List the maintenance jobs, which remove old data, with their last outcome and next run.");
        jobs.MapPost("/{job}/run", RunAsync).Audited("maintenance.run")
            .Produces<MaintenanceRequested>(202).ProducesProblem(403).ProducesProblem(404)
            .WithSummary("Run a job now, unless it is already running.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, MaintenanceService maintenance)
    {
        DemandOperator(context);
        var jobs = await maintenance.ListAsync(context.RequestAborted);
        return Results.Json(new MaintenanceList([.. jobs.Select(MaintenanceDetails.Of)]), MaintenanceJson.Instance.MaintenanceList);
    }

    private static async Task<IResult> RunAsync(string job, HttpContext context, MaintenanceService maintenance)
    {
        DemandOperator(context);
        var status = await maintenance.RunAsync(job, context.RequestAborted)
            ?? throw new ApiException(
                404, "not_found", $"there is no maintenance job {job}; there are {string.Join(", ", MaintenanceService.Names)}");
        context.AuditTarget($"maintenance/{status.Name}");
        return Results.Json(
            new MaintenanceRequested(status.Name, status.Outcome == MaintenanceRequested.Running ? MaintenanceRequested.Running : "queued"),
            MaintenanceJson.Instance.MaintenanceRequested, statusCode: StatusCodes.Status202Accepted);
    }

    /// <summary>Demands an operator, because jobs remove data of every tenant.</summary>
    private static void DemandOperator(HttpContext context)
    {
        if (!context.Caller().IsOperator)
            throw new ApiException(403, "forbidden", "only an administrator of all tenants may see and run maintenance");
    }
}
