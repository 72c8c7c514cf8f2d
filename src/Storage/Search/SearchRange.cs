using System.Buffers.Binary;
using TaskQueue.Engine.Search;

namespace TaskQueue.Storage.Search;

/// <summary>
/// The ids among which a page looks, derived from its cursor and from the times that are searched for: an id begins with the time at
/// which it was made, shortly before its task was accepted.
/// </summary>
/// <param name="From">The oldest id; null is the beginning.</param>
/// <param name="Before">Ids are older than this one; null is the end.</param>
internal sealed record SearchRange(Guid? From, Guid? Before)
{
    /// <summary>How much earlier than the task an id may have been made, by a client that tried again.</summary>
    private static readonly TimeSpan Earlier = TimeSpan.FromMinutes(1);

    /// <summary>How far a client's clock may be ahead.</summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromSeconds(2);

    public static SearchRange Of(TaskSearch search, SearchCursor? cursor)
    {
        Guid?[] ends =
        [
            cursor?.Before, search.CreatedTo is { } created ? FirstId(created, Ahead) : null,
            search.FinishedTo is { } finished ? FirstId(finished, Ahead) : null,
        ];
        return new SearchRange(search.CreatedFrom is { } from ? FirstId(from, -Earlier) : null, ends.Where(id => id is not null).Min());
    }

    public IQueryable<Guid> Cut(IQueryable<Guid> ids)
    {
        if (Before is { } before)
            ids = ids.Where(id => id < before);
        if (From is { } from)
            ids = ids.Where(id => id >= from);
        return ids;
    }

    /// <summary>The milliseconds at the beginning of an id, with a fraction.</summary>
    public static double Position(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt64BigEndian(bytes) / 65536.0;
    }

    /// <summary>
    /// An id above another and below a limit that shows no more of it than that takes: of its time, if possible, and nothing else.
    /// </summary>
    public static Guid Above(Guid id, Guid? limit)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var number = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        for (var hidden = 80; hidden > 0; hidden -= 8) // the time is in the first 48 bits
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes, unchecked(((number >> hidden) + UInt128.One) << hidden));
            var above = new Guid(bytes, bigEndian: true);
            if (above > id && (limit is null || above < limit))
                return above;
        }

        return id;
    }

    /// <summary>The smallest id of a millisecond; the sum of time and shift may be no date.</summary>
    private static Guid FirstId(DateTime time, TimeSpan shift)
    {
        var milliseconds = Math.Max(0, (long)Math.Ceiling((time - DateTime.UnixEpoch + shift).TotalMilliseconds));
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64BigEndian(bytes, (ulong)milliseconds << 16);
        return new Guid(bytes, bigEndian: true);
    }
}
