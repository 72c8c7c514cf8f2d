using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Auth;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Api.Operations;

/// <summary>/health/live: no loop and no endpoint is stuck. /health/ready: migrated, connected and consuming. /metrics: see docs/telemetry.md.</summary>
internal static class OperationsEndpoints
{
    public static IServiceCollection AddOperations(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck<DatabaseHealth>("database", tags: [HealthRegistration.Ready]);
        return services;
    }

    /// <summary>How long a scrape waits for the database; then it shows what was read before.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static void MapOperations(this WebApplication app)
    {
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = c => c.Tags.Contains(HealthRegistration.Live), ResponseWriter = WriteAsync }).Open().ForOperations(elsewhere: true);
        app.MapHealthChecks("/health/ready", new HealthCheckOptions
        {
            Predicate = c => c.Tags.Contains(HealthRegistration.Ready),
            ResponseWriter = WriteAsync,
            // A bus that reconnects is not consuming.
            ResultStatusCodes = { [HealthStatus.Degraded] = StatusCodes.Status503ServiceUnavailable },
        }).Open().ForOperations(elsewhere: true);
        var metrics = app.MapPrometheusScrapingEndpoint("/metrics", meterProvider: null, metrics => metrics.Use(RefreshAsync), optionsName: null).ForOperations();
        app.MapScaling();
        if (app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value.PublicMetrics)
            metrics.Open();
        else
            metrics.Needs(Scope.Read);
    }

    private static async Task RefreshAsync(HttpContext context, RequestDelegate next)
    {
        await Task.WhenAny(context.RequestServices.GetRequiredService<BacklogWatch>().RefreshAsync(), Task.Delay(Patience, context.RequestAborted));
        await next(context);
    }

    private static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(context.Response.Body, new
        {
            status = report.Status.ToString().ToLowerInvariant(),
            checks = report.Entries.ToDictionary(e => e.Key, e => new { status = e.Value.Status.ToString().ToLowerInvariant(), description = e.Value.Description }),
        });
    }
}
