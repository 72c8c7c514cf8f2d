using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Section <c>TaskQueue:Quarantine</c>. What the server itself could not process is kept until an operator decides.</summary>
public sealed class QuarantineOptions
{
    /// <summary>How many days messages of the bus that were refused are kept.</summary>
    [Range(1, 36_500, ErrorMessage = "TaskQueue:Quarantine:KeepMessagesDays must be 1 to 36500")]
    public int KeepMessagesDays { get; set; } = 30;

    /// <summary>How many refused messages of one owner are kept; the oldest go first.</summary>
    [Range(100, 1_000_000, ErrorMessage = "TaskQueue:Quarantine:MaxMessages must be 100 to 1000000")]
    public int MaxMessages { get; set; } = 10_000;
}
