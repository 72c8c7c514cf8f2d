using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Rpc;

/// <summary>Maps values of messages: JSON, times and words of enums.</summary>
internal static class RpcValues
{
    /// <summary>As over HTTP, where the levels around a member count, and as readers of the whole message accept it.</summary>
    private static readonly JsonReaderOptions Depth = new() { MaxDepth = 61 };

    /// <summary>The JSON of a member, checked without making objects of it.</summary>
    /// <param name="json">The bytes.</param>
    /// <param name="name">The member, for errors.</param>
    /// <returns>The text of the value, without white space around it.</returns>
    /// <exception cref="ApiException">400.</exception>
    public static string Json(ByteString json, string name)
    {
        if (!Utf8.IsValid(json.Span))
            throw NotJson(name, "UTF-8");
        var reader = new Utf8JsonReader(json.Span, Depth);
        try
        {
            reader.Read();
            var begin = (int)reader.TokenStartIndex;
            reader.Skip();
            var end = (int)reader.BytesConsumed;
            reader.Read(); // throws on trailing data
            return Encoding.UTF8.GetString(json.Span[begin..end]);
        }
        catch (JsonException fault)
        {
            throw NotJson(name, $"JSON: {fault.Message}");
        }
    }

    public static ByteString Json(string text) => ByteString.CopyFromUtf8(text);

    /// <summary>A time of a message; null if there is none.</summary>
    /// <exception cref="ApiException">400: no time from the year 1 to 9999.</exception>
    public static DateTime? Time(Timestamp? time, string name)
    {
        try
        {
            return time?.ToDateTime();
        }
        catch (InvalidOperationException)
        {
            throw new ApiException(400, "invalid_request", $"{name} must be a time");
        }
    }

    public static Timestamp? Time(DateTime? time) =>
        time is { } at ? Timestamp.FromDateTime(DateTime.SpecifyKind(at, DateTimeKind.Utc)) : null;

    /// <summary>The word of the API for the value of an enum; null for a value that has none.</summary>
    public static string? Word<T>(T value)
        where T : struct, System.Enum =>
        Words<T>.Texts.GetValueOrDefault(value);

    /// <summary>The value of an enum for a word of the API; unspecified if there is none.</summary>
    public static T Value<T>(string word)
        where T : struct, System.Enum =>
        Words<T>.Values.GetValueOrDefault(word);

    private static ApiException NotJson(string name, string problem) => new(400, "invalid_json", $"{name} is not valid {problem}");

    private static class Words<T>
        where T : struct, System.Enum
    {
        public static Dictionary<T, string> Texts { get; } = System.Enum.GetValues<T>().Where(v => !v.Equals(default(T)))
            .ToDictionary(v => v, v => JsonNamingPolicy.SnakeCaseLower.ConvertName(v.ToString()));

        public static Dictionary<string, T> Values { get; } = Texts.ToDictionary(t => t.Value, t => t.Key, StringComparer.Ordinal);
    }
}
