using System.ComponentModel.DataAnnotations;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quotas;

/// <summary>Section <c>TaskQueue:Quotas</c>: quotas of tenants; a change applies immediately.</summary>
public sealed class QuotaOptions : IValidatableObject
{
    /// <summary>Limits of every tenant. Null, or -1, is no limit.</summary>
    /// <value>10 GiB of files, 1,000 queues, 1,000 schedules, 1,000 streams; no limit on waiting tasks and requests.</value>
    public QuotaLimits Default { get; set; } = new() { FileBytes = 10L * 1024 * 1024 * 1024, Queues = 1000, Schedules = 1000,
        Streams = 1000 };

    /// <summary>Limits of single tenants, by name. Unset limits are those of <see cref="Default"/>; -1 is no limit.</summary>
    public Dictionary<string, QuotaLimits> Tenants { get; set; } = [];

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Default.Problem is { } wrong)
            yield return new($"TaskQueue:Quotas:Default:{wrong}");
        foreach (var (tenant, limits) in Tenants)
        {
            if (!CallerNames.IsValid(tenant))
                yield return new($"TaskQueue:Quotas:Tenants has '{tenant}', which is not {CallerNames.Rule}");
            if (limits.Problem is { } problem)
                yield return new($"TaskQueue:Quotas:Tenants:{tenant}:{problem}");
        }
    }
}
