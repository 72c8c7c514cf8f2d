using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Batches;

/// <summary>Section <c>TaskQueue:Batches</c>.</summary>
public sealed class BatchLimits : IValidatableObject
{
    /// <summary>Most lines of one batch, blank ones not counted.</summary>
    [Range(1, 10_000_000)]
    public int MaxLines { get; set; } = 50_000;

    /// <summary>Largest input of one batch in bytes.</summary>
    [Range(1, 100L * 1024 * 1024 * 1024)]
    public long MaxBytes { get; set; } = 100L * 1024 * 1024;

    /// <summary>Seconds in which the results of running lines still count after a cancel.</summary>
    [Range(0, 3600)]
    public int GraceSeconds { get; set; } = 5;

    /// <summary>Where the end of every batch is posted to that names no <c>callback_url</c> in its metadata.</summary>
    public string? CallbackUrl { get; set; }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (CallbackUrl is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            yield return new("TaskQueue:Batches:CallbackUrl must be an http or https URL");
    }
}
