using System.Buffers.Binary;
using System.Globalization;

namespace TaskQueue.Engine.Ids;

/// <summary>How a task answers its submitter; the letter B, S, C or P in its id.</summary>
public enum NumberedTaskMode
{
    Blocking,
    Streaming,
    Callback,
    Batch,
}

/// <summary>
/// <c>TASK-{queue}-{tier}-{mode}-{yyMMddHHmmss}-{instance}-{serial}</c>, mapped one to one to a UUID of version 8, so that the text needs
/// no column and every lookup is by primary key. Bits of the UUID: 48 Unix milliseconds, 4 version, 10 counter, 2 mode, 2 variant, 14
/// instance, 16 tier, 32 queue. The serial is the millisecond of the second and the counter.
/// </summary>
/// <param name="Milliseconds">Unix time, in the years 2000 to 2099: the text has a two-digit year.</param>
/// <param name="Counter">0 to 999 within the millisecond.</param>
/// <param name="Mode">How the task answers.</param>
/// <param name="Instance">0 to 9999: the process that generated the id.</param>
/// <param name="Tier">Tier of the task, 0 to 65535.</param>
/// <param name="Queue">Number of the registered queue, from 1.</param>
public sealed record NumberedTaskId(long Milliseconds, int Counter, NumberedTaskMode Mode, int Instance, int Tier, int Queue)
{
    /// <summary>Ids a millisecond.</summary>
    public const int Counters = 1000;

    /// <summary>Number of instances.</summary>
    public const int Instances = 10_000;

    private const string Modes = "BSCP";
    private const string Second = "yyyyMMddHHmmss";
    private static readonly long First = new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
    private static readonly long End = new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();

    /// <summary>Formats the id of a task for this API; a task of another API has its UUID.</summary>
    public static string Format(Guid id) => FromGuid(id)?.ToString() ?? id.ToString();

    /// <summary>Parses what <see cref="Format"/> returns; null if the text is invalid.</summary>
    public static Guid? ParseAny(string text) => Parse(text) is { } id ? id.ToGuid() : Guid.TryParse(text, out var guid) ? guid : null;

    /// <summary>Parses the canonical form that <see cref="ToString"/> returns; null for any other text.</summary>
    public static NumberedTaskId? Parse(string text)
    {
        if (text.Split('-') is not ["TASK", var queue, var tier, [var mode], { Length: 12 } second, { Length: 4 } instance,
            { Length: 6 } serial]
            || !DateTimeOffset.TryParseExact("20" + second, Second, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
                out var time)
            || Whole(queue) is not { } q || Whole(tier) is not { } l || Whole(instance) is not { } i || Whole(serial) is not { } s)
            return null;
        var id = new NumberedTaskId(time.ToUnixTimeMilliseconds() + (s / Counters), s % Counters,
            (NumberedTaskMode)Modes.IndexOf(mode, StringComparison.Ordinal), i, l, q);
        // Leading zeros, for example, would give one task two texts.
        return id.IsValid && id.ToString() == text ? id : null;
    }

    /// <summary>The id encoded in a UUID, or null if the UUID belongs to another API.</summary>
    public static NumberedTaskId? FromGuid(Guid guid)
    {
        Span<byte> bytes = stackalloc byte[16];
        guid.TryWriteBytes(bytes, bigEndian: true, out _);
        var high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        var low = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        if ((high >> 12 & 0xF) != 8 || low >> 62 != 2)
            return null;
        var id = new NumberedTaskId(
            (long)(high >> 16), (int)(high >> 2 & 0x3FF), (NumberedTaskMode)(high & 3), (int)(low >> 48 & 0x3FFF),
            (int)(low >> 32 & 0xFFFF), (int)(low & 0xFFFF_FFFF));
        return id.IsValid ? id : null;
    }

    public Guid ToGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, ((ulong)Milliseconds << 16) | 0x8000 | ((ulong)Counter << 2) | (ulong)Mode);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (2UL << 62) | ((ulong)Instance << 48) | ((ulong)Tier << 32) | (uint)Queue);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>Result of a task whose lease expired too often; the status is a string in it (bella.md 6).</summary>
    public string LeaseExpiryResult => $$"""{"status_code":"408","request_id":"{{this}}"}""";

    public override string ToString()
    {
        var time = DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds);
        var serial = (time.Millisecond * Counters) + Counter;
        var second = time.ToString(Second, CultureInfo.InvariantCulture)[2..];
        return $"TASK-{Queue}-{Tier}-{Modes[(int)Mode]}-{second}-{Instance:D4}-{serial:D6}";
    }

    private bool IsValid =>
        Milliseconds >= First && Milliseconds < End && Counter is >= 0 and < Counters && Enum.IsDefined(Mode)
        && Instance is >= 0 and < Instances && Tier is >= 0 and <= ushort.MaxValue && Queue > 0;

    private static int? Whole(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}

/// <summary>Generates the ids of this process, strictly increasing.</summary>
public sealed class NumberedTaskIds(TimeProvider time)
{
    private readonly SnowflakeIds _stamps = new(time, NumberedTaskId.Counters, NumberedTaskId.Instances);

    /// <summary>Distinguishes the ids of processes, with rare collisions.</summary>
    public int Instance => _stamps.Instance;

    public NumberedTaskId New(int queue, int tier, NumberedTaskMode mode)
    {
        var stamp = _stamps.Next();
        return new NumberedTaskId(stamp.Milliseconds, stamp.Counter, mode, stamp.Instance, tier, queue);
    }

    /// <summary>Draws a new instance number after another process generated the same id.</summary>
    public void DrawInstance() => _stamps.DrawInstance();
}
