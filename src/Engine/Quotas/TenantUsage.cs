namespace TaskQueue.Engine.Quotas;

/// <summary>A row of table <c>tenant_usage</c>: a tenant's usage of a resource, counted by one process or by all of them.</summary>
public sealed class TenantUsage
{
    /// <summary>The tenant.</summary>
    public string Tenant { get; set; } = "";

    /// <summary>The counted resource, such as <c>requests</c> or <c>streams</c>.</summary>
    public string Resource { get; set; } = "";

    /// <summary>The process that counts; empty if all processes share the row.</summary>
    public string Process { get; set; } = "";

    /// <summary>Amount in the resource's unit.</summary>
    public long Amount { get; set; }

    /// <summary>When it was last written, UTC; rows of processes that stopped writing do not count.</summary>
    public DateTime UpdatedAt { get; set; }
}
