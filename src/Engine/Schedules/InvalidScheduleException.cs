namespace TaskQueue.Engine.Schedules;

/// <summary>A schedule is invalid; nothing was accepted.</summary>
/// <param name="message">The validation error and its remedy.</param>
public sealed class InvalidScheduleException(string message) : Exception(message);
