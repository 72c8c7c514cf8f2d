using System.Buffers;
using System.Text.Json;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Limits of a list in a body.</summary>
/// <param name="Member">Member name of the list.</param>
/// <param name="MaxBytes">Maximum bytes of the body.</param>
/// <param name="MaxEntryBytes">Maximum bytes of an entry.</param>
/// <param name="MaxEntries">Maximum number of entries.</param>
/// <param name="Rule">Error message for a body without such a list.</param>
internal sealed record RequestList(string Member, long MaxBytes, long MaxEntryBytes, int MaxEntries, string Rule)
{
    public ApiException Wrong() => new(400, "invalid_request", Rule);

    public ApiException Unknown(string name) =>
        new(400, "invalid_request", $"{WrongShape.Shown(name)} is not a member of this request, which has {Member} alone");

    public ApiException Twice() => new(400, "invalid_request", $"{Member} is given twice");
}

/// <summary>
/// Reads bodies of the form <c>{"tasks": [...]}</c> entry by entry as they arrive: at any time memory holds one entry as JSON and the
/// objects made from the others. Callers receive them only after the whole body has arrived and is valid.
/// </summary>
internal static class RequestLists
{
    private const long Step = 1024 * 1024;

    /// <summary>Reads the list and converts each entry.</summary>
    /// <param name="context">The request.</param>
    /// <param name="list">Limits of the list.</param>
    /// <param name="make">Converts an entry, which it must not keep, given its index.</param>
    /// <exception cref="ApiException">400, 408 or 413.</exception>
    public static async Task<List<T>> ReadAsync<T>(HttpContext context, RequestList list, Func<JsonElement, int, T> make)
    {
        var body = RequestBody.Of(context, list.MaxBytes);
        var parser = new ListParser<T>(list, make);
        try
        {
            var read = await body.ReadStartAsync();
            var isSmall = read.IsCompleted && read.Buffer.Length <= MemoryBudget.SmallBytes;
            if (isSmall)
                await body.Memory.ReserveSmallBodyAsync(RequestJson.CostOf(read.Buffer), context.RequestAborted);
            for (var wanted = 0L; ; read = await body.ReadAsync())
            {
                var buffer = read.Buffer;
                if (!read.IsCompleted && buffer.Length < wanted)
                {
                    body.Advance(buffer.Start);
                    continue;
                }

                if (!isSmall)
                    await body.ReserveAsync(CostOf(body.Arrived, buffer.Length),
                        CostOf(body.Length ?? body.Arrived, Math.Min(body.Length ?? 0, list.MaxEntryBytes)));
                var left = buffer.Slice(parser.Parse(buffer, read.IsCompleted));
                if (left.Length > list.MaxEntryBytes)
                    throw new ApiException(413, "too_large", $"an entry of {list.Member} must have at most {list.MaxEntryBytes} bytes");
                body.Advance(left.Start);
                if (read.IsCompleted)
                    return parser.Entries.Count > 0 ? parser.Entries : throw list.Wrong();
                wanted = 2 * left.Length; // do not rescan an incomplete entry with every packet
            }
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw RequestJson.Invalid($"JSON: {fault.Message}");
        }
        finally
        {
            body.End();
        }
    }

    /// <summary>Memory cost: strings of the entries so far at two bytes per character, plus several copies of the current entry.</summary>
    private static long CostOf(long bytes, long entry) => ((((9 * bytes / 4) + (6 * entry)) / Step) + 1) * Step;
}

/// <summary>Parses such a body incrementally.</summary>
internal sealed class ListParser<T>(RequestList list, Func<JsonElement, int, T> make)
{
    private Place _place;
    private JsonReaderState _state;
    private bool _hasList;

    private enum Place
    {
        Start,
        Members,
        List,
        Entries,
        End,
    }

    public List<T> Entries { get; } = [];

    /// <summary>Parses as much of the part as possible.</summary>
    /// <returns>The consumed position; the rest must be passed again.</returns>
    /// <exception cref="JsonException">The body is not valid JSON.</exception>
    public SequencePosition Parse(ReadOnlySequence<byte> part, bool isLast)
    {
        var reader = new Utf8JsonReader(part, isLast, _state);
        while (Step(ref reader, part))
        {
        }

        _state = reader.CurrentState;
        return reader.Position;
    }

    /// <returns>False if more data must arrive first; the reader has then not moved.</returns>
    private bool Step(ref Utf8JsonReader reader, ReadOnlySequence<byte> part)
    {
        if (_place == Place.Entries)
            return Entry(ref reader, part);
        if (!reader.Read())
            return false;
        _place = (_place, reader.TokenType) switch
        {
            (Place.Start, JsonTokenType.StartObject) => Place.Members,
            (Place.Members, JsonTokenType.EndObject) => Place.End,
            (Place.Members, JsonTokenType.PropertyName) => !reader.ValueTextEquals(list.Member)
                ? throw list.Unknown(reader.GetString()!)
                : _hasList ? throw list.Twice() : Place.List,
            (Place.List, JsonTokenType.StartArray) => Place.Entries,
            _ => throw list.Wrong(),
        };
        _hasList |= _place == Place.Entries;
        return true;
    }

    private bool Entry(ref Utf8JsonReader reader, ReadOnlySequence<byte> part)
    {
        var before = reader;
        if (!reader.Read())
            return false;
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            _place = Place.Members;
            return true;
        }

        if (!JsonDocument.TryParseValue(ref reader, out var entry))
        {
            reader = before;
            return false;
        }

        using (entry)
        {
            if (!RequestJson.IsUtf8(part.Slice(before.Position, reader.Position)))
                throw RequestJson.Invalid("UTF-8");
            if (Entries.Count == list.MaxEntries)
                throw list.Wrong();
            Entries.Add(make(entry.RootElement, Entries.Count));
        }

        return true;
    }
}
