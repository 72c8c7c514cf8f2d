using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.WebConsole.SignIn;

[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
internal sealed partial class ClaimsJson : JsonSerializerContext;
