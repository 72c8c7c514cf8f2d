using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine;

/// <summary>Section <c>TaskQueue</c>: what the engine needs to know.</summary>
public sealed class EngineOptions
{
    /// <summary>Largest payload of one task in bytes of UTF-8.</summary>
    /// <value>1 MiB; 1 KiB to 64 MiB.</value>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>Groups of commands that commit side by side on PostgreSQL.</summary>
    /// <value>2; 1 to 16. More lanes mean smaller groups: worth it where a commit waits long for its disk.</value>
    [Range(1, 16)]
    public int CommitLanes { get; set; } = 2;
}
