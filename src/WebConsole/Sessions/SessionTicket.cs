using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>The content of a session's cookie, encrypted and signed.</summary>
/// <param name="Ends">When the session ends, in Unix seconds.</param>
/// <param name="Key">Digest of the key that signed in; null for other sign-ins. The key itself is nowhere.</param>
/// <param name="Claims">Claims of the identity that signed in; null for a key.</param>
internal sealed record SessionTicket(long Ends, string? Key, JsonElement? Claims);

[JsonSerializable(typeof(SessionTicket))]
internal sealed partial class TicketJson : JsonSerializerContext;
