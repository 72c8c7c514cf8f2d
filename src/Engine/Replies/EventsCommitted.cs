namespace TaskQueue.Engine.Replies;

/// <summary>A message to the process that dispatches the outbox, at its <see cref="ReplyAddress"/>: another one committed events.</summary>
public sealed record EventsCommitted;
