using System.Text.Json;
using MassTransit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Messages of an older or malicious producer: with members that only the server may set.</summary>
[MessageUrn("TaskQueue.Contracts:SubmitTasks")]
internal sealed record ForgedSubmit(IReadOnlyList<ForgedTask?> Tasks);

internal sealed record ForgedTask(Guid Id, string Queue, string Payload)
{
    public string? Owner { get; init; }

    public Guid? BatchId { get; init; }

    public string? Headers { get; init; }

    public ForgedEnding? Ending { get; init; }
}

internal sealed record ForgedEnding(string? CallbackUrl, string? ReplyTo, string? LeaseExpiryResult);

/// <summary>Messages of a producer that has misspelled a member.</summary>
[MessageUrn("TaskQueue.Contracts:SubmitTasks")]
internal sealed record MisspelledSubmit(IReadOnlyList<MisspelledTask> Tasks);

internal sealed record MisspelledTask(Guid Id, string Queue, string Payload, string ScheduleAt);

/// <summary>A submission with arbitrary members.</summary>
[MessageUrn("TaskQueue.Contracts:SubmitTasks")]
internal sealed record LooseSubmit
{
    public object? Tasks { get; init; }
}

/// <summary>A report with arbitrary members.</summary>
[MessageUrn("TaskQueue.Contracts:ReportTasks")]
internal sealed record LooseReport
{
    public string? Worker { get; init; }

    public object? Started { get; init; }

    public object? Heartbeats { get; init; }

    public object? Outcomes { get; init; }
}

/// <summary>A message that no consumer handles.</summary>
internal sealed record UnknownMessage(string Text);

/// <summary>A submission whose list is not a list.</summary>
[MessageUrn("TaskQueue.Contracts:SubmitTasks")]
internal sealed record UnreadableSubmit
{
    public JsonElement Tasks { get; init; }
}

/// <summary>Dispatched tasks whose list is not a list.</summary>
[MessageUrn("TaskQueue.Contracts:DispatchTasks")]
internal sealed record UnreadableDispatch
{
    public JsonElement Tasks { get; init; }
}
