using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Operations;

/// <summary>
/// /health/live: no loop and no endpoint is stuck. /health/ready: migrated, connected and consuming. /metrics: see docs/telemetry.md.
/// </summary>
internal static class OperationsEndpoints
{
    private const string Draining = "draining";
    private const string Bus = "masstransit-bus"; // MassTransit's own check

    public static IServiceCollection AddOperations(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck<DatabaseHealth>("database", tags: [HealthRegistration.Ready])
            .AddCheck<FileStoreHealth>("file-store", tags: [HealthRegistration.Ready]).AddCheck<DrainHealth>(Draining);
        return services;
    }

    /// <summary>How long a scrape waits for the database before it returns the previous values.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Maps the routes of every role.</summary>
    /// <param name="app">The server.</param>
    /// <param name="needsBus">Whether readiness requires the broker. Without a broker the APIs still accept, hand out and answer.</param>
    public static void MapOperations(this WebApplication app, bool needsBus)
    {
        var drain = app.Services.GetRequiredService<Drain>();
        app.MapHealthChecks("/health/live",
            new HealthCheckOptions { Predicate = c => c.Tags.Contains(HealthRegistration.Live), ResponseWriter = WriteAsync }).Open()
                .ForOperations(elsewhere: true);
        app.MapHealthChecks("/health/ready", new HealthCheckOptions
        {
            Predicate = c => IsOfReadiness(c, drain, needsBus),
            ResponseWriter = WriteAsync,
            // A reconnecting bus does not consume.
            ResultStatusCodes = { [HealthStatus.Degraded] = StatusCodes.Status503ServiceUnavailable },
        }).Open().ForOperations(elsewhere: true);
        var metrics = app.MapPrometheusScrapingEndpoint("/metrics", meterProvider: null, metrics =>
            metrics.Use(RefreshAsync).UseMiddleware<MetricsFilter>(), optionsName: null).ForOperations();
        app.MapScaling();
        if (app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value.PublicMetrics)
            metrics.Open();
        else
            metrics.Needs(Scope.Read);
    }

    /// <summary>Whether a check decides on readiness. A process that is stopping has one, so that the response waits for nothing.</summary>
    internal static bool IsOfReadiness(HealthCheckRegistration check, Drain drain, bool needsBus) =>
        drain.HasBegun ? check.Name == Draining : check.Tags.Contains(HealthRegistration.Ready) && (needsBus || check.Name != Bus);

    private static async Task RefreshAsync(HttpContext context, RequestDelegate next)
    {
        var reads = Task.WhenAll(
            context.RequestServices.GetRequiredService<BacklogWatch>().RefreshAsync(),
            context.RequestServices.GetRequiredService<QuarantineMetrics>().RefreshAsync());
        await Task.WhenAny(reads, Task.Delay(Patience, context.RequestAborted));
        await next(context);
    }

    private static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(context.Response.Body, new
        {
            status = report.Status.ToString().ToLowerInvariant(),
            checks = report.Entries.ToDictionary(e => e.Key, e =>
                new { status = e.Value.Status.ToString().ToLowerInvariant(), description = e.Value.Description }),
        });
    }
}
