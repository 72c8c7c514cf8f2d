using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Bulk;

/// <summary>Section <c>TaskQueue:BulkOperations</c>.</summary>
public sealed class BulkOperationOptions
{
    private const string Section = "TaskQueue:BulkOperations";

    /// <summary>Operations of a tenant that have not ended; further ones are refused.</summary>
    /// <value>20; 1 to 1,000.</value>
    [Range(1, 1000, ErrorMessage = Section + ":MaxUnfinishedPerTenant must be 1 to 1000")]
    public int MaxUnfinishedPerTenant { get; set; } = 20;

    /// <summary>Ended operations of a tenant that are kept; older ones are removed.</summary>
    /// <value>200; 1 to 10,000.</value>
    [Range(1, 10_000, ErrorMessage = Section + ":MaxEndedPerTenant must be 1 to 10000")]
    public int MaxEndedPerTenant { get; set; } = 200;

    /// <summary>Changed tasks of an operation that are noted; one that has changed more cannot be undone.</summary>
    /// <value>10,000; 0 to 100,000.</value>
    [Range(0, 100_000, ErrorMessage = Section + ":MaxUndoTasks must be 0 to 100000")]
    public int MaxUndoTasks { get; set; } = 10_000;

    /// <summary>Characters of payloads that an operation notes; one that has changed more cannot be undone.</summary>
    /// <value>16,777,216; 0 to 1,073,741,824.</value>
    [Range(0, 1_073_741_824, ErrorMessage = Section + ":MaxUndoChars must be 0 to 1073741824")]
    public long MaxUndoChars { get; set; } = 16 * 1024 * 1024;

    /// <summary>Days after which an ended operation is removed.</summary>
    /// <value>30; 1 to 3,650.</value>
    [Range(1, 3650, ErrorMessage = Section + ":KeepDays must be 1 to 3650")]
    public int KeepDays { get; set; } = 30;
}
