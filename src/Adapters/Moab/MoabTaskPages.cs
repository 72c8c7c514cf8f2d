using System.Buffers.Binary;
using System.Text;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Adapters.Moab;

/// <summary>Pages task lists of any length.</summary>
internal sealed class MoabTaskPages(ITaskQueries queries)
{
    /// <summary>Upper bound of what a response has of a task beside its payload.</summary>
    private const int Envelope = 2048;

    /// <param name="queue">Base name.</param>
    /// <param name="list">Which tasks, and in which order.</param>
    /// <param name="place">Position of the page; null: the start.</param>
    /// <param name="limit">Page size.</param>
    /// <param name="access">Access of the caller.</param>
    /// <param name="reserve">Reserves memory for the page before it is read.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <param name="maxBytes">Size from which a page has fewer tasks than its limit.</param>
    public async Task<MoabPage<TaskState>> ReadAsync(string queue, TaskList list, MoabPlace? place, int limit, Access access,
        ReserveAnswer reserve, CancellationToken cancellationToken, long maxBytes = long.MaxValue)
    {
        var isBack = place?.IsBack ?? false;
        var page = Cut(await queries.ListAsync(queue, list, place?.Cursor, limit, access, cancellationToken, isBack, reserve), list, isBack,
            maxBytes);
        if (place is { IsBack: true })
        {
            return page is { First: { } first, Last: { } last }
                ? new(page.Tasks, MoabPlace.Behind(list, last), page.HasMore ? MoabPlace.Before(list, first) : "")
                // All earlier tasks are gone: this is now the first page.
                : await ReadAsync(queue, list, place: null, limit, access, reserve, cancellationToken, maxBytes);
        }

        return new(
            page.Tasks,
            page is { HasMore: true, Last: { } end } ? MoabPlace.Behind(list, end) : "",
            place is null ? "" : page.First is { } begin ? MoabPlace.Before(list, begin) : MoabPlace.End(list));
    }

    /// <summary>Keeps the tasks next to the start of the read, at least one.</summary>
    internal static TaskPage Cut(TaskPage page, TaskList list, bool isBack, long maxBytes)
    {
        var (kept, bytes) = (0, 0L);
        foreach (var task in isBack ? page.Tasks.Reverse() : page.Tasks)
        {
            bytes += Encoding.UTF8.GetByteCount(task.Payload) + Envelope;
            if (bytes > maxBytes && kept > 0)
                break;
            kept++;
        }

        if (kept == page.Tasks.Count)
            return page;
        return isBack
            ? page with
            {
                Tasks = [.. page.Tasks.Skip(page.Tasks.Count - kept)],
                First = TaskCursor.Of(list, page.Tasks[page.Tasks.Count - kept]),
                HasMore = true,
            }
            : page with { Tasks = [.. page.Tasks.Take(kept)], Last = TaskCursor.Of(list, page.Tasks[kept - 1]), HasMore = true };
    }
}

/// <summary>A position in a task list. Its token has three bytes for kind, list and direction, then two times and the id.</summary>
/// <param name="Cursor">The adjacent task.</param>
/// <param name="IsBack">Whether the page ends before the task; otherwise it begins after it.</param>
internal sealed record MoabPlace(TaskCursor Cursor, bool IsBack)
{
    private const int Head = 3, Size = Head + 32;
    private const byte Kind = (byte)'t', Forward = (byte)'n', Back = (byte)'p';
    private static readonly DateTime Latest = new(9999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <exception cref="TaskQueue.Http.Errors.ApiException">400: the token belongs to another list.</exception>
    public static MoabPlace? Parse(string? token, TaskList list)
    {
        if (MoabPages.Token(token) is not { } bytes)
            return null;
        if (bytes.Length != Size || bytes[0] != Kind || bytes[1] != (byte)list || bytes[2] is not (Forward or Back))
            throw MoabPages.WrongToken();
        var (at, accepted) = (Time(bytes, Head), Time(bytes, Head + 8));
        return new(new TaskCursor(at, new Guid(bytes.AsSpan(Head + 16), bigEndian: true), list == TaskList.Waiting ? accepted : null),
            bytes[2] == Back);
    }

    /// <summary>Token of the page after a task.</summary>
    public static string Behind(TaskList list, TaskCursor task) => Write(list, Forward, task);

    /// <summary>Token of the page before a task.</summary>
    public static string Before(TaskList list, TaskCursor task) => Write(list, Back, task);

    /// <summary>Token of the last page.</summary>
    public static string End(TaskList list) => Write(list, Back, new TaskCursor(Latest, Guid.AllBitsSet, Latest));

    private static DateTime Time(byte[] bytes, int at)
    {
        var micros = BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(at));
        return micros >= 0 && micros <= Micros.FromTime(Latest) ? Micros.ToTime(micros) : throw MoabPages.WrongToken();
    }

    private static string Write(TaskList list, byte direction, TaskCursor place)
    {
        var bytes = new byte[Size];
        (bytes[0], bytes[1], bytes[2]) = (Kind, (byte)list, direction);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(Head), Micros.FromTime(place.At));
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(Head + 8), Micros.FromTime(place.AcceptedAt ?? DateTime.UnixEpoch));
        place.Id.TryWriteBytes(bytes.AsSpan(Head + 16), bigEndian: true, out _);
        return Convert.ToBase64String(bytes);
    }
}
