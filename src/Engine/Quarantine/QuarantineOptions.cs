using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Section <c>TaskQueue:Quarantine</c>. What the server itself cannot process is kept until an operator decides.</summary>
public sealed class QuarantineOptions
{
    /// <summary>Retention of rejected bus messages in days.</summary>
    [Range(1, 36_500, ErrorMessage = "TaskQueue:Quarantine:KeepMessagesDays must be 1 to 36500")]
    public int KeepMessagesDays { get; set; } = 30;

    /// <summary>Maximum rejected messages kept for each owner; the oldest are removed first.</summary>
    [Range(100, 1_000_000, ErrorMessage = "TaskQueue:Quarantine:MaxMessages must be 100 to 1000000")]
    public int MaxMessages { get; set; } = 10_000;
}
