namespace TaskQueue.Engine.Notifications;

/// <summary>How this process reaches the others.</summary>
/// <param name="IsInProcess">There are no others: the bus forgets everything when the process ends, and has no bus workers.</param>
public sealed record BusTransport(bool IsInProcess);
