using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Telemetry;

/// <summary>Section <c>TaskQueue:Telemetry</c>: traces, metrics and logs of the process.</summary>
public sealed class TelemetryOptions : IValidatableObject
{
    /// <summary>Collector that receives traces, metrics and logs, such as <c>http://localhost:4317</c>.</summary>
    /// <value>Empty: <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>; if that is empty too, nothing is exported.</value>
    public string? Otlp { get; set; }

    /// <summary>Protocol of the collector: <c>grpc</c> or <c>http/protobuf</c>.</summary>
    /// <value>Empty: <c>OTEL_EXPORTER_OTLP_PROTOCOL</c>, else <c>grpc</c>.</value>
    public string? Protocol { get; set; }

    /// <summary>Maximum queue names reported separately in metrics; further ones are counted as <c>other</c>.</summary>
    /// <value>1,000; 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxQueues { get; set; } = 1000;

    /// <summary>Maximum task names reported separately in metrics; further ones are counted as <c>other</c>.</summary>
    /// <value>200; 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxNames { get; set; } = 200;

    /// <summary>Seconds that values read from the database are cached; longer if the read was slow.</summary>
    /// <value>5; 0.1 to 3,600.</value>
    [Range(0.1, 3600)]
    public double RefreshSeconds { get; set; } = 5;

    /// <summary>Whether <c>/metrics</c> and <c>/scaling</c> are served without a key even if other routes require one.</summary>
    /// <value>False.</value>
    public bool PublicMetrics { get; set; }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!string.IsNullOrEmpty(Otlp) && !(Uri.TryCreate(Otlp, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            yield return new ValidationResult("TaskQueue:Telemetry:Otlp is not of the form http://localhost:4317");
        if (Protocol is not (null or "" or Grpc or HttpProtobuf))
            yield return new ValidationResult($"TaskQueue:Telemetry:Protocol must be {Grpc} or {HttpProtobuf}");
    }

    /// <summary>A value of <see cref="Protocol"/>.</summary>
    public const string Grpc = "grpc", HttpProtobuf = "http/protobuf";
}
