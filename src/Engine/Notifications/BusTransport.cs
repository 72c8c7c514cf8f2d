namespace TaskQueue.Engine.Notifications;

/// <summary>The transport between processes.</summary>
/// <param name="IsInProcess">Whether the bus is in memory: there are no other processes and no bus workers, and messages are lost when the
/// process ends.</param>
public sealed record BusTransport(bool IsInProcess);
