using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Servers;

/// <summary>What the outbox dispatcher does with its lease.</summary>
internal static class OutboxLeases
{
    /// <summary>The lease, or null while another has it.</summary>
    public static async Task<IOutboxLease?> TryLeadAsync(this ITaskStore store) =>
        (await store.TryAcquireOutboxLeaseAsync("test", () => { }, CancellationToken.None)).Lease;

    /// <summary>Saves offsets as an outbox dispatcher that had the lease for this alone.</summary>
    public static async Task SaveOffsetsAsync(this ITaskStore store, long[] offsets)
    {
        await using var lease = await store.TryLeadAsync() ?? throw new InvalidOperationException("another has the lease");
        await lease.SaveOffsetsAsync(offsets);
    }
}
