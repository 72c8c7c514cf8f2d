using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Workers;

/// <summary>
/// An entry of a report or heartbeat, read by itself: an invalid one must not cost the others their work or their leases.
/// </summary>
/// <param name="Command">What it says; null if it is invalid.</param>
/// <param name="Problem">Why it is invalid, or null.</param>
/// <param name="Id">The task, as far as it can be read.</param>
/// <param name="Attempt">The attempt, as far as it can be read.</param>
internal sealed record ReadEntry(AttemptCommand? Command, ApiException? Problem, Guid? Id, int? Attempt)
{
    /// <summary>Reads an entry of JSON.</summary>
    public static ReadEntry Of<T>(JsonElement entry, int index, JsonTypeInfo<T> type, Func<T, AttemptCommand> toCommand)
        where T : class
    {
        try
        {
            var read = entry.Deserialize(type) ?? throw new ApiException(400, "invalid_request", "an entry must be an object");
            var command = toCommand(read);
            return new ReadEntry(command, null, command.CorrelationId, command.Attempt);
        }
        catch (JsonException fault)
        {
            return Invalid(entry, WrongShape.Of(fault, $"$.tasks[{index}]{fault.Path?[1..]}", type));
        }
        catch (ApiException fault)
        {
            return Invalid(entry, fault);
        }
        catch (InvalidOperationException fault)
        {
            return Invalid(entry, RequestJson.Invalid($"JSON: {fault.Message}"));
        }
    }

    /// <summary>Reads an entry of gRPC, whose form is known to be valid; its answer is found by its place, not by its id.</summary>
    public static ReadEntry Of<T>(T entry, Func<T, AttemptCommand> toCommand)
    {
        try
        {
            var command = toCommand(entry);
            return new ReadEntry(command, null, command.CorrelationId, command.Attempt);
        }
        catch (ApiException fault)
        {
            return new ReadEntry(null, fault, null, null);
        }
    }

    /// <summary>The code of its answer, once the command was applied.</summary>
    public string Code => Command is { } command ? WorkerMapping.Code(command.CommandResult) : "invalid";

    /// <summary>The answer, once the command was applied.</summary>
    public Answer ToAnswer() => new(Id, Attempt, Code, Problem?.Message);

    private static ReadEntry Invalid(JsonElement entry, ApiException problem) =>
        new(null, problem, Guid.TryParse(TextRules.Read(entry, "id"), out var id) ? id : null, AttemptOf(entry));

    private static int? AttemptOf(JsonElement entry)
    {
        try
        {
            return entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("attempt", out var value)
                && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var attempt) ? attempt : null;
        }
        catch (InvalidOperationException)
        {
            return null; // a name has half of a surrogate pair
        }
    }
}
