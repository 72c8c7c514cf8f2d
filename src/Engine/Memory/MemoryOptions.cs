using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Memory;

/// <summary>Section <c>TaskQueue:Limits</c>: memory for requests, responses and waiting commands.</summary>
public sealed class MemoryOptions
{
    /// <summary>Memory of a process in bytes for request bodies, responses, and submits and reports that wait for the database.</summary>
    /// <value>Null: a quarter of the memory available to the process. 16 MiB to 1 TiB.</value>
    [Range(16L << 20, 1L << 40, ErrorMessage = "TaskQueue:Limits:MemoryBytes must be 16777216 (16 MiB) to 1099511627776 (1 TiB)")]
    public long? MemoryBytes { get; set; }

    /// <summary>
    /// Maximum payloads, results and headers of a page or claim in bytes. One task is always returned, whatever its size.
    /// </summary>
    /// <value>16 MiB; 64 KiB to 1 GiB.</value>
    [Range(64L << 10, 1L << 30, ErrorMessage = "TaskQueue:Limits:MaxAnswerBytes must be 65536 (64 KiB) to 1073741824 (1 GiB)")]
    public long MaxAnswerBytes { get; set; } = 16L << 20;

    /// <summary>Seconds that a request waits for memory before it gets a 503.</summary>
    /// <value>5; 0 to 60. 0 refuses immediately.</value>
    [Range(0.0, 60.0, ErrorMessage = "TaskQueue:Limits:MemoryWaitSeconds must be 0 to 60")]
    public double MemoryWaitSeconds { get; set; } = 5;

    /// <summary>The configured memory, or a quarter of what the runtime reports as available.</summary>
    internal long Total => MemoryBytes ?? Math.Max(16L << 20, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);
}

/// <summary>Checks that the pools leave room for each other.</summary>
internal sealed class MemoryOptionsCheck(IOptions<EngineOptions> engine) : IValidateOptions<MemoryOptions>
{
    public ValidateOptionsResult Validate(string? name, MemoryOptions options) =>
        engine.Value.MaxWaitingBytes is { } commands && commands > options.Total / 2
            ? ValidateOptionsResult.Fail(
                $"TaskQueue:MaxWaitingBytes is {commands}, but is a part of TaskQueue:Limits:MemoryBytes ({options.Total}) and may be at "
                    + "most half of it")
            : ValidateOptionsResult.Success;
}
