namespace TaskQueue.Engine.Schedules;

/// <summary>A schedule broke a rule; nothing was accepted.</summary>
/// <param name="message">What is wrong and what to change.</param>
public sealed class InvalidScheduleException(string message) : Exception(message);
