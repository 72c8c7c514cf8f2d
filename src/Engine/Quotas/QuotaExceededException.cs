using System.Globalization;

namespace TaskQueue.Engine.Quotas;

/// <summary>A request would exceed a tenant's quota; nothing was done.</summary>
public sealed class QuotaExceededException : Exception
{
    /// <summary>Creates the exception with a message that names the resource and the remedy.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="tenant">The tenant whose quota is exhausted.</param>
    /// <param name="limit">The limit.</param>
    /// <param name="used">Current usage.</param>
    /// <param name="retryAfter">When a retry may succeed; null if waiting does not help.</param>
    public QuotaExceededException(QuotaResource resource, string tenant, long limit, long used, TimeSpan? retryAfter = null)
        : base(MessageOf(resource, tenant, limit, used)) =>
        (Resource, Tenant, Limit, Used, RetryAfter) = (resource, tenant, limit, used, retryAfter);

    /// <summary>The resource.</summary>
    public QuotaResource Resource { get; }

    /// <summary>The tenant whose quota is exhausted.</summary>
    public string Tenant { get; }

    /// <summary>The limit.</summary>
    public long Limit { get; }

    /// <summary>Current usage.</summary>
    public long Used { get; }

    /// <summary>When a retry may succeed; null if waiting does not help.</summary>
    public TimeSpan? RetryAfter { get; }

    private static string MessageOf(QuotaResource resource, string tenant, long limit, long used)
    {
        var (noun, advice) = QuotaResources.Texts(resource);
        return string.Create(CultureInfo.InvariantCulture,
            $"tenant {tenant} may have {limit} {noun} ({QuotaResources.Word(resource)}) and uses {used}; {advice}, or ask the operator "
                + $"for a larger quota");
    }
}
