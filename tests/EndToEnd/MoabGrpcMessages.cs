using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using TaskQueue.Moab.V0First;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Translates between the API's JSON and messages of v0.</summary>
internal static class MoabGrpcMessages
{
    private const string Payload = "payload", Base64 = "payload_base64", Unset = "INVALID";

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>Reads the request of an RPC.</summary>
    public static IMessage Read(string rpc, string body)
    {
        var type = MoabV0FirstReflection.Descriptor.Services.Single().FindMethodByName(rpc).InputType;
        var json = JsonNode.Parse(body.Length == 0 ? "{}" : body, documentOptions: Lenient) as JsonObject
            ?? throw new FormatException("a request is an object");
        if (rpc == "RestartTasks" && json["task_ids"] is JsonArray { Count: > 0 } ids)
        {
            if (json["entries"] is JsonArray { Count: > 0 })
                throw new FormatException("entries and task_ids cannot both be given");
            json["entries"] = new JsonArray([.. ids.Select(id => new JsonObject { ["task_id"] = id?.DeepClone() })]);
        }

        return Parser.Parse(Translate(json, type).ToJsonString(), type);
    }

    /// <summary>Writes a response.</summary>
    public static string Write(IMessage message)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
            Write(message, writer);
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static JsonObject Translate(JsonObject json, MessageDescriptor type)
    {
        var translated = new JsonObject();
        foreach (var (name, value) in json)
        {
            if (value is not null && type.FindFieldByName(name == Base64 ? Payload : name) is { } field)
                translated[field.Name] = Translate(value, field, name, translated.ContainsKey(field.Name));
        }

        return translated;
    }

    private static JsonNode Translate(JsonNode value, FieldDescriptor field, string name, bool isTwice) =>
        field.FieldType switch
        {
            FieldType.Bytes when isTwice => throw new FormatException("both forms of a payload are given"),
            FieldType.Bytes when name == Base64 => Convert.ToBase64String(Convert.FromBase64String(value.GetValue<string>())),
            FieldType.Bytes => Convert.ToBase64String(Encoding.UTF8.GetBytes(value.GetValue<string>())),
            _ when field.IsRepeated => new JsonArray([.. value.AsArray().Select(item => TranslateOne(item, field))]),
            _ => TranslateOne(value, field),
        };

    private static JsonNode TranslateOne(JsonNode? value, FieldDescriptor field) =>
        value is null ? throw new FormatException($"{field.Name} has an entry that is null")
        : field.FieldType switch
        {
            FieldType.Message => Translate(value.AsObject(), field.MessageType),
            FieldType.Enum => NumberOf(field.EnumType, value.GetValue<string>()),
            FieldType.String => value.GetValue<string>(),
            FieldType.Bool => value.GetValue<bool>(),
            _ => value.ToJsonString() is var number && number.AsSpan().ContainsAny('.', 'e', 'E')
                ? throw new FormatException($"{number} is not an integer")
                : number.Trim('"'), // as text, since numbers are read as floating-point numbers
        };

    /// <summary>The number of a word, long or short; one that no word has if the word is unknown.</summary>
    private static int NumberOf(EnumDescriptor type, string word)
    {
        if (word.Length == 0)
            return 0;
        var prefix = type.FindValueByNumber(0).Name[..^Unset.Length];
        word = word.Replace("INFLIGHT", "IN_PROGRESS", StringComparison.Ordinal);
        return (type.FindValueByName(word) ?? type.FindValueByName(prefix + word))?.Number ?? 99;
    }

    private static void Write(IMessage message, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (var field in InOrder(message.Descriptor))
        {
            var value = field.Accessor.GetValue(message);
            if (value is null && field.Name == "task")
                continue; // present if it was restarted
            writer.WritePropertyName(field.Name);
            if (field.IsRepeated)
            {
                writer.WriteStartArray();
                foreach (var item in (System.Collections.IEnumerable)value!)
                    WriteOne(item, field, writer);
                writer.WriteEndArray();
            }
            else
            {
                WriteOne(value, field, writer);
            }
        }

        writer.WriteEndObject();
    }

    /// <summary>The order of the API's JSON, which is that of the field numbers but for a schedule's time zone.</summary>
    private static List<FieldDescriptor> InOrder(MessageDescriptor type)
    {
        var fields = type.Fields.InFieldNumberOrder().ToList();
        if (type.Name == nameof(Schedule))
        {
            var zone = fields.Single(f => f.Name == "timezone");
            fields.Remove(zone);
            fields.Insert(fields.FindIndex(f => f.Name == "cron") + 1, zone);
        }

        return fields;
    }

    private static void WriteOne(object? value, FieldDescriptor field, Utf8JsonWriter writer)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case IMessage message:
                Write(message, writer);
                break;
            case ByteString bytes:
                WritePayload(bytes, writer);
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case Enum word:
                var name = field.EnumType.FindValueByNumber(Convert.ToInt32(word, System.Globalization.CultureInfo.InvariantCulture)).Name;
                writer.WriteStringValue(field.EnumType.Name == nameof(IntervalUnit) ? name["INTERVAL_UNIT_".Length..] : name);
                break;
            default:
                writer.WriteNumberValue(Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
        }
    }

    private static void WritePayload(ByteString bytes, Utf8JsonWriter writer)
    {
        try
        {
            writer.WriteStringValue(Utf8.GetString(bytes.Span));
        }
        catch (DecoderFallbackException)
        {
            writer.WriteStringValue("");
            writer.WriteString(Base64, bytes.ToBase64());
        }
    }
}
