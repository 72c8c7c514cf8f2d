using System.Buffers.Binary;
using TaskQueue.Engine.Ids;

namespace TaskQueue.Adapters.Moab;

/// <summary>
/// Task ids of this API: <c>tsk_</c> and the base62 of a 64-bit number (42 bits Unix milliseconds, 12 instance, 10 counter). They
/// map one-to-one to UUIDs of version 8, so that the text needs no column and reads use the primary key. Bits of the UUID: 48
/// milliseconds, 4 version, 12 instance, 2 variant, 14 mark, 10 counter, 38 zero. The mark is where bella's ids have a number
/// below 10,000. A task of another API has the base62 of its whole UUID.
/// </summary>
internal static class MoabTaskId
{
    public const int InstanceBits = 12, CounterBits = 10;

    private const string Prefix = "tsk_";
    private const int Zeros = 38;
    private const ulong Version = 0x8000;
    private const ulong Mark = 0xBFFFUL << 48; // variant 10, then fourteen ones

    public static string Format(Guid id) =>
        Prefix + (ToNumber(id) is { } number ? MoabBase62.Encode(number, 64) : MoabBase62.Encode(Bits(id), 128));

    /// <summary>Parses the output of <see cref="Format"/>; null if invalid.</summary>
    public static Guid? Parse(string text)
    {
        // The longest text encodes 128 bits, five per character.
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || text.Length > Prefix.Length + 26)
            return null;
        var digits = text.AsSpan(Prefix.Length);
        if (MoabBase62.Decode(digits, 64) is { } number)
            return ToGuid((ulong)number);
        // A UUID of this API has only the short form.
        return MoabBase62.Decode(digits, 128) is { } bits && FromBits(bits) is var id && ToNumber(id) is null ? id : null;
    }

    public static Guid ToGuid(ulong number)
    {
        var milliseconds = number >> (InstanceBits + CounterBits);
        var instance = number >> CounterBits & ((1 << InstanceBits) - 1);
        var counter = number & ((1 << CounterBits) - 1);
        return FromBits(new UInt128((milliseconds << 16) | Version | instance, Mark | (counter << Zeros)));
    }

    /// <summary>Extracts the number from a UUID; null if it belongs to another API.</summary>
    public static ulong? ToNumber(Guid id)
    {
        var bits = Bits(id);
        var (high, low) = ((ulong)(bits >> 64), (ulong)bits);
        var number = (high >> 16 << (InstanceBits + CounterBits)) | ((high & 0xFFF) << CounterBits)
            | (low >> Zeros & ((1 << CounterBits) - 1));
        return ToGuid(number) == id ? number : null;
    }

    private static UInt128 Bits(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private static Guid FromBits(UInt128 bits)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, bits);
        return new Guid(bytes, bigEndian: true);
    }
}

/// <summary>Generates the ids of this process, strictly increasing.</summary>
internal sealed class MoabTaskIds(TimeProvider time)
{
    private readonly SnowflakeIds _stamps = new(time, 1 << MoabTaskId.CounterBits, 1 << MoabTaskId.InstanceBits);

    /// <summary>Random instance number; makes collisions between processes unlikely.</summary>
    public int Instance => _stamps.Instance;

    public Guid New()
    {
        var stamp = _stamps.Next();
        return MoabTaskId.ToGuid(((((ulong)stamp.Milliseconds << MoabTaskId.InstanceBits) | (uint)stamp.Instance) << MoabTaskId.CounterBits)
            | (uint)stamp.Counter);
    }

    /// <summary>Draws a new instance number after a collision with another process.</summary>
    public void DrawInstance() => _stamps.DrawInstance();
}
