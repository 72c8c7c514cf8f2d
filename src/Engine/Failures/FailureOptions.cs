using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Failures;

/// <summary>Section <c>TaskQueue:Failures</c>: groups of failures.</summary>
public sealed class FailureOptions
{
    private const string Section = "TaskQueue:Failures";

    /// <summary>Groups of a tenant; what comes beyond is counted in one group of other failures.</summary>
    /// <value>500; 1 to 100,000.</value>
    [Range(1, 100_000, ErrorMessage = Section + ":MaxGroupsPerTenant must be 1 to 100000")]
    public int MaxGroupsPerTenant { get; set; } = 500;

    /// <summary>Groups in all.</summary>
    /// <value>10,000; 1 to 1,000,000.</value>
    [Range(1, 1_000_000, ErrorMessage = Section + ":MaxGroups must be 1 to 1000000")]
    public int MaxGroups { get; set; } = 10_000;

    /// <summary>Days without a failure after which a resolved group is removed.</summary>
    /// <value>30; 1 to 3,650.</value>
    [Range(1, 3650, ErrorMessage = Section + ":KeepResolvedDays must be 1 to 3650")]
    public int KeepResolvedDays { get; set; } = 30;

    /// <summary>Days without a failure after which any group is removed.</summary>
    /// <value>90; 1 to 3,650.</value>
    [Range(1, 3650, ErrorMessage = Section + ":KeepDays must be 1 to 3650")]
    public int KeepDays { get; set; } = 90;
}
