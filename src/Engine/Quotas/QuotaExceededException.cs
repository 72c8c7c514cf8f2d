using System.Globalization;

namespace TaskQueue.Engine.Quotas;

/// <summary>A tenant would use more of a resource than its quota allows; nothing was done.</summary>
public sealed class QuotaExceededException : Exception
{
    /// <summary>Says what is exhausted, and what to do.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="tenant">Whose quota.</param>
    /// <param name="limit">The limit.</param>
    /// <param name="used">What is used.</param>
    /// <param name="retryAfter">When it is worth trying again; null where waiting does not help.</param>
    public QuotaExceededException(QuotaResource resource, string tenant, long limit, long used, TimeSpan? retryAfter = null)
        : base(MessageOf(resource, tenant, limit, used)) =>
        (Resource, Tenant, Limit, Used, RetryAfter) = (resource, tenant, limit, used, retryAfter);

    /// <summary>The resource.</summary>
    public QuotaResource Resource { get; }

    /// <summary>Whose quota.</summary>
    public string Tenant { get; }

    /// <summary>The limit.</summary>
    public long Limit { get; }

    /// <summary>What is used.</summary>
    public long Used { get; }

    /// <summary>When it is worth trying again; null where waiting does not help.</summary>
    public TimeSpan? RetryAfter { get; }

    private static string MessageOf(QuotaResource resource, string tenant, long limit, long used)
    {
        var (noun, advice) = QuotaResources.Texts(resource);
        return string.Create(CultureInfo.InvariantCulture,
            $"tenant {tenant} may have {limit} {noun} ({QuotaResources.Word(resource)}) and uses {used}; {advice}, or ask the operator "
                + $"for a larger quota");
    }
}
