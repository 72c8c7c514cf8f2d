namespace TaskQueue.Engine.Quotas;

/// <summary>A row of table <c>tenant_usage</c>: what a tenant uses of a resource, as one process or all of them count it.</summary>
public sealed class TenantUsage
{
    /// <summary>The tenant.</summary>
    public string Tenant { get; set; } = "";

    /// <summary>What is counted, such as <c>requests</c> or <c>streams</c>.</summary>
    public string Resource { get; set; } = "";

    /// <summary>The process that counts; empty where all processes share the row.</summary>
    public string Process { get; set; } = "";

    /// <summary>How much, in the resource's unit.</summary>
    public long Amount { get; set; }

    /// <summary>When it was last written, UTC; rows of processes that stopped writing do not count.</summary>
    public DateTime UpdatedAt { get; set; }
}
