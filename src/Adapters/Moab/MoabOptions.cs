using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Adapters.Moab;

/// <summary>Section <c>TaskQueue:Moab</c>: configurable limits of the Moab API (moab.md 2).</summary>
internal sealed class MoabOptions
{
    /// <summary>Maximum entries per Enqueue.</summary>
    /// <value>10; 1 to 100.</value>
    [Range(1, 100)]
    public int MaxEnqueueEntries { get; set; } = 10;

    /// <summary>Maximum number of queues created through this API.</summary>
    /// <value>100; 1 to 10,000.</value>
    [Range(1, 10_000)]
    public int MaxQueues { get; set; } = 100;

    /// <summary>Maximum number of schedules per queue.</summary>
    /// <value>5; 1 to 1,000.</value>
    [Range(1, 1_000)]
    public int MaxSchedulesPerQueue { get; set; } = 5;

    /// <summary>Maximum number of schedules in all queues.</summary>
    /// <value>50; 1 to 1,000,000.</value>
    [Range(1, 1_000_000)]
    public int MaxSchedules { get; set; } = 50;

    /// <summary>
    /// Field numbers of the schedules in responses of the gRPC service <c>com.evrblk.moab.v0.MoabApi</c>. Those of a request are
    /// recognized; a response to a request that tells has the same ones.
    /// </summary>
    /// <value><c>Present</c>; <c>First</c> for clients generated before entries and schedules lost their keepalive timeout.</value>
    [EnumDataType(typeof(MoabNumbering))]
    public MoabNumbering V0Numbering { get; set; }

    /// <summary>Upper bound of a valid request: payloads may use escapes of six bytes per character.</summary>
    internal long MaxBodyBytes => (MaxEnqueueEntries * 7L * MoabFields.MaxPayloadBytes) + (1024 * 1024);

    /// <summary>Upper bound of a valid message of gRPC, and at least what clients of gRPC expect.</summary>
    internal int MaxMessageBytes => Math.Max(4 * 1024 * 1024, MaxEnqueueEntries * (MoabFields.MaxPayloadBytes + 4096));
}
