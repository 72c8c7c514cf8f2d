using Google.Protobuf;
using Google.Protobuf.Reflection;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Rpc;

/// <summary>
/// Reads messages whose fields are counted first: two bytes can be an entry, and each entry becomes an object, so that a small message
/// could fill the memory.
/// </summary>
internal static class RpcMessages
{
    /// <summary>Most fields of an entry, with those of its list of tags or lines.</summary>
    private const int MaxEntryFields = 200;

    /// <summary>Reads a message, without what this version does not know.</summary>
    /// <exception cref="ApiException">400 or 413.</exception>
    public static TRequest Read<TRequest>(byte[] message, MessageParser<TRequest> parser, RpcRule rule)
        where TRequest : IMessage<TRequest>
    {
        if (message.Length > rule.MaxBytes)
            throw new ApiException(413, "too_large", $"the message must have at most {rule.MaxBytes} bytes, and has {message.Length}");
        try
        {
            using var input = new CodedInputStream(message);
            DemandFew(input, DescriptorOf<TRequest>.Value, rule);
            return parser.WithDiscardUnknownFields(true).ParseFrom(message);
        }
        catch (InvalidProtocolBufferException fault)
        {
            throw new ApiException(400, "invalid_request", $"the request is not a message of this RPC: {fault.Message}");
        }
    }

    /// <exception cref="ApiException">There are too many fields or an entry is too large.</exception>
    private static void DemandFew(CodedInputStream input, MessageDescriptor type, RpcRule rule)
    {
        var count = 0;
        while (input.ReadTag() is not 0 and var tag)
        {
            if (++count > rule.MaxFields)
                throw new ApiException(400, "invalid_request", $"a message of this RPC must have at most {rule.MaxFields} fields");
            if (FieldOf(type, tag) is { FieldType: FieldType.Message } entry && IsDelimited(tag))
                DemandFew(input, entry, rule.MaxEntryBytes);
            else
                input.SkipLastField();
        }
    }

    private static void DemandFew(CodedInputStream input, FieldDescriptor entry, long maxBytes)
    {
        var length = input.ReadLength();
        if (length > maxBytes)
            throw new ApiException(413, "too_large", $"an entry of {entry.Name} must have at most {maxBytes} bytes");
        var (end, count) = (input.Position + length, 0L);
        while (input.Position < end)
        {
            var tag = input.ReadTag();
            if (tag == 0)
                throw new ApiException(
                    400, "invalid_request", $"the request is not a message of this RPC: an entry of {entry.Name} is cut off");
            var begin = input.Position;
            input.SkipLastField();
            // A packed list has as many as its bytes at most.
            count += IsDelimited(tag) && FieldOf(entry.MessageType, tag) is { IsRepeated: true, FieldType: not (FieldType.String
                or FieldType.Bytes or FieldType.Message) } ? input.Position - begin : 1;
            if (count > MaxEntryFields)
                throw new ApiException(400, "invalid_request", $"an entry of {entry.Name} must have at most {MaxEntryFields} fields");
        }
    }

    private static FieldDescriptor? FieldOf(MessageDescriptor type, uint tag) => type.FindFieldByNumber(WireFormat.GetTagFieldNumber(tag));

    private static bool IsDelimited(uint tag) => WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited;

    private static class DescriptorOf<TRequest>
        where TRequest : IMessage<TRequest>
    {
        public static readonly MessageDescriptor Value = Activator.CreateInstance<TRequest>().Descriptor;
    }
}
