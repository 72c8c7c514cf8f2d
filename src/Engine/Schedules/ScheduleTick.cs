using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Schedules;

/// <summary>A tick of a schedule.</summary>
/// <param name="ScheduleId">The schedule.</param>
/// <param name="At">The tick.</param>
/// <param name="Next">The following tick; null if there is none.</param>
public sealed record ScheduleTick(int ScheduleId, DateTime At, DateTime? Next) : InsertStep;
