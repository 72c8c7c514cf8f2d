using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Http.Json;

/// <summary>Any JSON, such as data and results, even if <see cref="JsonSerializerOptions.AllowDuplicateProperties"/> is off.</summary>
internal sealed class AnyJsonConverter : JsonConverter<JsonElement>
{
    public override JsonElement Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonElement.ParseValue(ref reader);

    public override void Write(Utf8JsonWriter writer, JsonElement value, JsonSerializerOptions options) => value.WriteTo(writer);
}
