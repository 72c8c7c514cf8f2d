using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Failures;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Failures;

/// <summary>GET /failures.</summary>
internal sealed record FailureList(IReadOnlyList<FailureItem> Groups, string? NextCursor);

/// <summary>A group of failures with the same cause.</summary>
/// <param name="Id">Id of the group.</param>
/// <param name="Kind"><c>error</c>: reported by workers, or <c>crash</c>: the worker was lost.</param>
/// <param name="ErrorType">Type of the error, if workers report it.</param>
/// <param name="Message">The error without what differs: numbers, ids, quoted texts, hex, paths.</param>
/// <param name="Queue">Queue of the tasks; empty for failures of all queues.</param>
/// <param name="Name">Name of the tasks.</param>
/// <param name="Owner">Owner of the tasks.</param>
/// <param name="State"><c>open</c>, <c>resolved</c> or <c>ignored</c>.</param>
/// <param name="Regressed">Whether a failure opened it again after it was resolved.</param>
/// <param name="Count">Number of failed attempts.</param>
/// <param name="FirstSeenAt">When the first of them failed.</param>
/// <param name="LastSeenAt">When the last of them failed.</param>
/// <param name="SampleTaskIds">Tasks of the newest failures, at most 5; they may be gone.</param>
/// <param name="Versions">Versions of the workers that failed, at most 5, those with the newest failures first; empty if the workers do not
/// tell.</param>
internal sealed record FailureItem(
    Guid Id, string Kind, string? ErrorType, string Message, string Queue, string? Name, string? Owner, string State, bool Regressed,
    long Count, DateTime FirstSeenAt, DateTime LastSeenAt, IReadOnlyList<Guid> SampleTaskIds, IReadOnlyList<string> Versions);

/// <summary>GET /failures/{id}: a group with its newest failures.</summary>
internal sealed record FailureDetails(
    Guid Id, string Kind, string? ErrorType, string Message, string Queue, string? Name, string? Owner, string State, bool Regressed,
    long Count, DateTime FirstSeenAt, DateTime LastSeenAt, IReadOnlyList<Guid> SampleTaskIds, IReadOnlyList<string> Versions,
    IReadOnlyList<FailureSampleItem> Samples);

/// <summary>A failed attempt.</summary>
internal sealed record FailureSampleItem(Guid TaskId, int Attempt, DateTime At, string? Worker, string Error, string? Stack);

/// <summary>State of a group, for the audit.</summary>
internal sealed record FailureChange(string State);

[JsonSerializable(typeof(FailureList))]
[JsonSerializable(typeof(FailureItem))]
[JsonSerializable(typeof(FailureDetails))]
[JsonSerializable(typeof(FailureChange))]
internal sealed partial class FailureJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static FailureJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Maps groups of failures to the API's format.</summary>
internal static class FailureMapping
{
    /// <summary>
    /// Where values are hidden, so are the message and the type: they may quote values of payloads that are not known here.
    /// </summary>
    public static FailureItem ToItem(FailureGroup g, Redactor redactor) =>
        new(g.Id, Word(g.Kind), g.ErrorType is not null && redactor.IsOn ? Redactor.Hidden : g.ErrorType,
            redactor.IsOn ? Redactor.Hidden : g.Message, g.Queue, g.Name, g.Owner, Word(g.State), g.Regressed, g.Count,
            g.FirstSeenAt, g.LastSeenAt, [.. g.Samples.Select(s => s.TaskId).Distinct()], FailureRules.VersionsOf(g));

    /// <param name="g">The group.</param>
    /// <param name="redactor">What to hide.</param>
    /// <param name="payloads">Payloads of the tasks of its samples, if something is to be hidden.</param>
    public static FailureDetails ToDetails(FailureGroup g, Redactor redactor, IReadOnlyDictionary<Guid, string> payloads)
    {
        var item = ToItem(g, redactor);
        return new(item.Id, item.Kind, item.ErrorType, item.Message, item.Queue, item.Name, item.Owner, item.State, item.Regressed,
            item.Count, item.FirstSeenAt, item.LastSeenAt, item.SampleTaskIds, item.Versions,
            [.. g.Samples.Select(s => new FailureSampleItem(s.TaskId, s.Attempt, s.At, s.Worker, Text("error", s, s.Error)!,
                Text("stack", s, s.Stack)))]);

        string? Text(string field, FailureSample sample, string? text) =>
            text is null || !redactor.IsOn ? text
            : !redactor.Hides(field) && payloads.TryGetValue(sample.TaskId, out var payload) ? redactor.Error(text, payload)
            : Redactor.Hidden;
    }

    public static string Word(FailureKind kind) => kind.ToString().ToLowerInvariant();

    public static string Word(FailureState state) => state.ToString().ToLowerInvariant();

    /// <exception cref="ApiException">400.</exception>
    public static FailureState? StateOf(string? word) => word switch
    {
        null => null,
        "open" => FailureState.Open,
        "resolved" => FailureState.Resolved,
        "ignored" => FailureState.Ignored,
        _ => throw Wrong("state must be open, resolved or ignored"),
    };

    /// <exception cref="ApiException">400.</exception>
    public static FailureKind? KindOf(string? word) => word switch
    {
        null => null,
        "error" => FailureKind.Error,
        "crash" => FailureKind.Crash,
        _ => throw Wrong("kind must be error or crash"),
    };

    public static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
