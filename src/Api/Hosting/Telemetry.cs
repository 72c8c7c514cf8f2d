using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using TaskQueue.Api.Operations;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Api.Hosting;

/// <summary>Exposes metrics at /metrics; exports metrics, traces and logs to a collector if one is configured.</summary>
internal static class Telemetry
{
    private const string Section = "TaskQueue:Telemetry";

    /// <summary>
    /// ASP.NET Core requests and the runtime. The meters of Npgsql, EF Core and MassTransit are omitted: they have too many labels.
    /// </summary>
    private static readonly string[] Meters = [TaskQueueMeter.Name, "Microsoft.AspNetCore.Hosting", "System.Runtime"];

    private static readonly string[] Sources = [TaskTrace.SourceName, "System.Net.Http", "MassTransit"];

    /// <summary>Series per queue and instrument: events, or tiers by what their tasks wait for.</summary>
    private const int SeriesPerQueue = 10;

    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration, Roles roles,
        string instance)
    {
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(r => r
                .AddService(configuration["OTEL_SERVICE_NAME"] ?? "taskqueue", serviceVersion: Version, serviceInstanceId: instance)
                .AddAttributes([new("taskqueue.roles",
                    string.Join(',', Enum.GetValues<Roles>().Where(r => r != Roles.All && roles.HasFlag(r))).ToLowerInvariant())]))
            .WithMetrics(m =>
                m.AddMeter(Meters)
                    .AddPrometheusExporter(o => (o.ScopeInfoEnabled, o.ScrapeResponseCacheDurationMilliseconds) = (false, 0)));
        services.ConfigureOpenTelemetryMeterProvider((sp, m) =>
        {
            var (meters, most) = (sp.GetRequiredService<IMeterFactory>(), configuration.GetValue<int?>($"{Section}:MaxQueues")
                ?? new TelemetryOptions().MaxQueues);
            m.AddView(instrument => instrument.Meter.Scope is { } scope && scope != meters
                ? MetricStreamConfiguration.Drop // belongs to another server in this process
                : instrument.Meter.Name == TaskQueueMeter.Name
                    ? new MetricStreamConfiguration { CardinalityLimit = SeriesPerQueue * (most + 1) }
                : null);
        });
        if (Value(configuration, $"{Section}:Otlp", "OTEL_EXPORTER_OTLP_ENDPOINT") is { } collector)
            telemetry.AddCollector(configuration, collector);
        return services;
    }

    /// <summary>Adds the trace sources. Without its instrumentation package ASP.NET Core sets neither route nor status on spans.</summary>
    /// <remarks>
    /// The HttpClient package is not used: it would propagate the trace with every request, also to callback receivers, and .NET's own
    /// spans have all of its tags.
    /// </remarks>
    public static TracerProviderBuilder AddTaskQueueSources(this TracerProviderBuilder traces) =>
        traces.AddSource(Sources).AddAspNetCoreInstrumentation().AddProcessor(new NoMediatorSpans());

    private static string Version =>
        typeof(Telemetry).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    private static void AddCollector(this IOpenTelemetryBuilder telemetry, IConfiguration configuration, string collector)
    {
        if (!Uri.TryCreate(collector, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            throw new StartupException($"{Section}:Otlp (or OTEL_EXPORTER_OTLP_ENDPOINT) is not of the form http://localhost:4317.");
        var protocol = Value(configuration, $"{Section}:Protocol", "OTEL_EXPORTER_OTLP_PROTOCOL") switch
        {
            null or TelemetryOptions.Grpc => OtlpExportProtocol.Grpc,
            TelemetryOptions.HttpProtobuf => OtlpExportProtocol.HttpProtobuf,
            _ => throw new StartupException($"{Section}:Protocol (or OTEL_EXPORTER_OTLP_PROTOCOL) must be {TelemetryOptions.Grpc} or "
                + $"{TelemetryOptions.HttpProtobuf}."),
        };
        telemetry.WithTracing(t => t.AddTaskQueueSources())
            .WithLogging(null, o => (o.IncludeScopes, o.IncludeFormattedMessage) = (true, true))
            .UseOtlpExporter(protocol, uri);
    }

    private static string? Value(IConfiguration configuration, string key, string standard) =>
        configuration[key] is { Length: > 0 } own ? own : configuration[standard] is { Length: > 0 } value ? value : null;
}
