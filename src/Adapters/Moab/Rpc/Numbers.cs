using Google.Protobuf;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>
/// Recognizes the field numbers of a request of v0: the fields that moved differ in their wire type, or in bytes that only one of them
/// can have (moab.md 9).
/// </summary>
internal static class Numbers
{
    /// <summary>The largest number of an enum of fields to overwrite.</summary>
    private const byte LastEnum = 3;

    /// <summary>What an entry of Enqueue has; null: nothing that differs.</summary>
    /// <exception cref="Http.Errors.ApiException">400: fields of both.</exception>
    /// <exception cref="InvalidProtocolBufferException">It is no message.</exception>
    public static MoabNumbering? OfEntry(ByteString entry) =>
        Of(entry.CreateCodedInput(), (field, type, input) => (field, type) switch
        {
            (5, WireFormat.WireType.Varint) => MoabNumbering.First, // keepalive_timeout_in_seconds
            (5, WireFormat.WireType.LengthDelimited) => MoabNumbering.Present, // retry_strategy
            (6, WireFormat.WireType.Varint) => MoabNumbering.Present, // overwrite_on_duplicate, not packed
            (6, WireFormat.WireType.LengthDelimited) => OfSixth(input.ReadBytes().Span),
            (7, WireFormat.WireType.Varint) => MoabNumbering.First, // overwrite_on_duplicate, not packed
            (7, WireFormat.WireType.LengthDelimited) => OfSeventh(input.ReadBytes().Span),
            (8, WireFormat.WireType.LengthDelimited) => MoabNumbering.First, // thread_id
            _ => null,
        });

    /// <summary>What a request to create or update a schedule has; null: nothing that differs.</summary>
    /// <inheritdoc cref="OfEntry"/>
    public static MoabNumbering? OfSchedule(byte[] request) =>
        Of(new CodedInputStream(request), (field, type, _) => (field, type) switch
        {
            (8, WireFormat.WireType.Varint) => MoabNumbering.First, // keepalive_timeout_in_seconds
            (8, WireFormat.WireType.LengthDelimited) => MoabNumbering.Present, // retry_strategy
            (10, WireFormat.WireType.LengthDelimited) => MoabNumbering.First, // timezone
            (10, WireFormat.WireType.Varint) => MoabNumbering.Present, // expected_version
            (11, WireFormat.WireType.Varint) => MoabNumbering.First, // expected_version
            _ => null,
        });

    /// <summary>A message of intervals begins with a tag, which is no enum; numbers of enums follow each other without one.</summary>
    private static MoabNumbering OfSixth(ReadOnlySpan<byte> content) =>
        content.IsEmpty || content[0] > LastEnum ? MoabNumbering.First : MoabNumbering.Present;

    /// <summary>Numbers of enums, or a text, which consists of other characters.</summary>
    private static MoabNumbering? OfSeventh(ReadOnlySpan<byte> content) =>
        content.IsEmpty ? null : content.ContainsAnyExceptInRange((byte)0, LastEnum) ? MoabNumbering.Present : MoabNumbering.First;

    private static MoabNumbering? Of(
        CodedInputStream input, Func<int, WireFormat.WireType, CodedInputStream, MoabNumbering?> judge)
    {
        MoabNumbering? found = null;
        while (input.ReadTag() is not 0 and var tag)
        {
            var position = input.Position;
            var said = judge(WireFormat.GetTagFieldNumber(tag), WireFormat.GetTagWireType(tag), input);
            if (input.Position == position)
                input.SkipLastField(); // not read by the judge
            if (said is null)
                continue;
            if (found is not null && said != found)
                throw MoabFields.Wrong("the request has fields of two versions of Moab's v0; send those of one");
            found = said;
        }

        return found;
    }
}
