using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Audit;

/// <summary>Section <c>TaskQueue:Audit</c>.</summary>
public sealed class AuditOptions
{
    /// <summary>Retention of audit records in days.</summary>
    [Range(1, 36_500, ErrorMessage = "TaskQueue:Audit:KeepDays must be 1 to 36500")]
    public int KeepDays { get; set; } = 90;
}
