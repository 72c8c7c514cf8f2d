namespace TaskQueue.Engine.Memory;

/// <summary>
/// The memory that the work of the current flow has reserved already, such as that of a large request: what it submits holds the same
/// texts and is not counted a second time.
/// </summary>
public static class MemoryScope
{
    private static readonly AsyncLocal<Holder?> Current = new();

    /// <summary>Begins a scope for the current flow and all that it calls.</summary>
    public static Holder Begin() => Current.Value = new Holder();

    /// <summary>Whether so many bytes are covered by what was reserved.</summary>
    public static bool Covers(long bytes) => Current.Value?.Lease is { } lease && lease.Bytes >= bytes;

    /// <summary>Knows the lease once there is one.</summary>
    public sealed class Holder
    {
        /// <summary>The lease, or null.</summary>
        public MemoryLease? Lease { get; set; }
    }
}
