using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace TaskQueue.Contracts;

/// <summary>
/// Task ids: 48 bits of Unix milliseconds, then a counter and random bits, under the version nibble 4. New rows thus land at the right edge
/// of the primary key's index, lists by id are lists by age, and clients that insist on a version 4 UUID accept them. Bus producers should
/// use it too; any other unique id works, but costs the server more.
/// </summary>
public static class TaskId
{
    /// <summary>By clock: one that a test moves forward must not take the ids of other clocks with it.</summary>
    private static readonly ConditionalWeakTable<TimeProvider, Stamps> Clocks = [];

    /// <summary>Creates an id, greater than all ids that this process has created with the same clock.</summary>
    public static Guid New(TimeProvider time)
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        var stamp = Clocks.GetOrCreateValue(time).Next(time.GetUtcNow().ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt64BigEndian(bytes, (stamp >> 12 << 16) | 0x4000 | (stamp & 0xFFF));
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    private sealed class Stamps
    {
        private readonly Lock _lock = new();
        private long _last; // milliseconds << 12 | counter: strictly increasing

        public long Next(long milliseconds)
        {
            lock (_lock)
                return _last = Math.Max(milliseconds << 12, _last + 1);
        }
    }
}
