namespace TaskQueue.Engine.Memory;

/// <summary>
/// The memory that the current flow has already reserved, such as that of a large request: tasks submitted by it hold the same texts and
/// are not counted twice.
/// </summary>
public static class MemoryScope
{
    private static readonly AsyncLocal<Holder?> Current = new();

    /// <summary>Begins a scope for the current flow and everything it calls.</summary>
    public static Holder Begin() => Current.Value = new Holder();

    /// <summary>Whether the reservation covers this number of bytes.</summary>
    public static bool Covers(long bytes) => Current.Value?.Lease is { } lease && lease.Bytes >= bytes;

    /// <summary>Holds the lease of the scope once it exists.</summary>
    public sealed class Holder
    {
        /// <summary>The lease, or null.</summary>
        public MemoryLease? Lease { get; set; }
    }
}
