using System.Buffers.Binary;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>
/// The ids among which a page looks, derived from its cursor and from the times that are searched for: an id begins with the time at
/// which it was made, shortly before its task was accepted.
/// </summary>
/// <param name="From">The oldest id; null is the beginning.</param>
/// <param name="Before">Ids are older than this one; null is the end.</param>
internal sealed record SearchRange(Guid? From, Guid? Before)
{
    public static SearchRange Of(TaskSearch search, SearchCursor? cursor)
    {
        Guid?[] ends =
        [
            cursor?.Before, search.CreatedTo is { } created ? ListingIds.Before(created) : null,
            search.FinishedTo is { } finished ? ListingIds.Before(finished) : null,
        ];
        return new SearchRange(search.CreatedFrom is { } from ? ListingIds.From(from) : null, ends.Where(id => id is not null).Min());
    }

    public SearchRange Below(Guid end) => Before is null || end < Before ? this with { Before = end } : this;

    public IQueryable<SearchKey> Cut(IQueryable<SearchKey> keys)
    {
        if (Before is { } before)
            keys = keys.Where(k => k.ListedAs < before);
        if (From is { } from)
            keys = keys.Where(k => k.ListedAs >= from);
        return keys;
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
}
