using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Telemetry;

/// <summary>Section <c>TaskQueue:Telemetry</c>: what the process tells of itself.</summary>
public sealed class TelemetryOptions : IValidatableObject
{
    /// <summary>The collector that traces, metrics and logs are sent to, such as <c>http://localhost:4317</c>.</summary>
    /// <value>Empty: <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, and where that is empty too, nothing is sent.</value>
    public string? Otlp { get; set; }

    /// <summary>How it is spoken to: <c>grpc</c> or <c>http/protobuf</c>.</summary>
    /// <value>Empty: <c>OTEL_EXPORTER_OTLP_PROTOCOL</c>, else <c>grpc</c>.</value>
    public string? Protocol { get; set; }

    /// <summary>Names of queues that metrics tell apart; further ones are counted as <c>other</c>.</summary>
    /// <value>1,000; 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxQueues { get; set; } = 1000;

    /// <summary>Names of tasks that metrics tell apart; further ones are counted as <c>other</c>.</summary>
    /// <value>200; 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxNames { get; set; } = 200;

    /// <summary>Seconds for which what was read of the database is shown again; longer where the read took long.</summary>
    /// <value>5; 0.1 to 3,600.</value>
    [Range(0.1, 3600)]
    public double RefreshSeconds { get; set; } = 5;

    /// <summary>Whether <c>/metrics</c> and <c>/scaling</c> need no key, though other routes do.</summary>
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

    /// <summary>A word of <see cref="Protocol"/>.</summary>
    public const string Grpc = "grpc", HttpProtobuf = "http/protobuf";
}
