using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Batches;

/// <summary>Section <c>TaskQueue:Batches</c>.</summary>
public sealed class BatchLimits : IValidatableObject
{
    /// <summary>Maximum items of one batch; blank lines do not count.</summary>
    [Range(1, 10_000_000)]
    public int MaxLines { get; set; } = 50_000;

    /// <summary>Maximum size of a batch input in bytes.</summary>
    /// <value>200 MiB, OpenAI's limit.</value>
    [Range(1, 100L * 1024 * 1024 * 1024)]
    public long MaxBytes { get; set; } = 200L * 1024 * 1024;

    /// <summary>Seconds after a cancellation in which results of running items still count.</summary>
    [Range(0, 3600)]
    public int GraceSeconds { get; set; } = 5;

    /// <summary>Default callback URL for batches whose metadata names no <c>callback_url</c>.</summary>
    public string? CallbackUrl { get; set; }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (CallbackUrl is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            yield return new("TaskQueue:Batches:CallbackUrl must be an http or https URL");
    }
}
