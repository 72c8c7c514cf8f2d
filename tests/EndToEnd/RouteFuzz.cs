using System.Text;
using System.Text.Json.Nodes;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Makes nearly valid requests: a request of <see cref="AccessTable"/> with a mutation somewhere.</summary>
internal static class RouteFuzz
{
    private static readonly string[] Texts =
    [
        "", " ", "\0", "a\0b", "\u001f", "\r\nX-Injected: 1", "\ud800", "\udc00\ud800", "\u2028", "\u202e", "..", "../..", "%00", "%2e%2e",
        "a-1", "*", "a-*", "'; drop table tasks; --",
        "${jndi:x}", "{{7*7}}", "null", "true", "-1", "0", "1e400", "NaN", "Infinity", "-Infinity", "9223372036854775808", "12:00", "Jan 5",
        "2026-02-30T00:00:00Z", "9999-12-31T23:59:59.9999999+14:00",
        "0001-01-01T00:00:00Z", "urn:uuid:00000000-0000-0000-0000-000000000000", "data:;base64,AA==", "http://localhost/",
        "http://[::1]:0/", "javascript:1", new string('x', 300), new string('ü', 5000),
    ];

    private static readonly string[] Numbers =
        ["-1", "0", "1", "-0", "0.5", "1e-320", "1e308", "1e400", "-1e400", "2147483648", "-2147483649", "4294967296", "9007199254740993",
            "9223372036854775808", "18446744073709551616", "0.1e1", "100000000000000000000000000000000"];

    /// <summary>A request with mutations; the method and path may change too.</summary>
    public static (string Method, string Path, byte[]? Body) Mutate(AccessProbe probe, Random random)
    {
        var method = random.Next(40) == 0 ? new[] { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS" }[random.Next(7)]
            : probe.Method;
        var path = random.Next(4) == 0 ? Path(probe.Path, random) : probe.Path;
        return (method, path,
            probe.Body is null || probe.Body == AccessServer.File ? Raw(random)
                : Body(System.Text.Json.JsonSerializer.SerializeToNode(probe.Body)!, random));
    }

    /// <summary>Text of a path or a query with hostile parts, as an HTTP client can send them.</summary>
    private static string Path(string path, Random random)
    {
        var hostile = Uri.EscapeDataString(Whole(Texts[random.Next(Texts.Length)]));
        var segments = path.Split('?')[0].Split('/');
        if (random.Next(2) == 0 && segments.Length > 2)
        {
            segments[random.Next(2, segments.Length)] = hostile;
            return string.Join('/', segments);
        }

        var names = new[] { "limit", "after", "list", "status", "queue", "purpose", "order", "wait_seconds", "tier", "within_seconds",
            "Authorization", "from", "to", "tenant" };
        return $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{names[random.Next(names.Length)]}={hostile}";
    }

    private static byte[] Body(JsonNode body, Random random)
    {
        for (var i = random.Next(1, 4); i > 0; i--)
            body = Change(body, random);
        return Bytes(body, random);
    }

    /// <summary>JSON as it is sent, sometimes truncated, doubled or with a wrong byte.</summary>
    public static byte[] Bytes(JsonNode body, Random random)
    {
        var bytes = Encoding.UTF8.GetBytes(Written(body));
        switch (random.Next(12))
        {
            case 0: return bytes[..random.Next(bytes.Length)];
            case 1: return [.. bytes, .. bytes];
            case 2:
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            case 3: return Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", random.Next(1, 2000)))); // depth
            default: return bytes;
        }
    }

    private static byte[]? Raw(Random random) =>
        random.Next(3) == 0 ? Encoding.UTF8.GetBytes(Whole(Texts[random.Next(Texts.Length)])) : null;

    /// <summary>Replaces, duplicates, removes or adds one value somewhere.</summary>
    public static JsonNode Change(JsonNode node, Random random)
    {
        if (node is JsonObject { Count: > 0 } members && random.Next(8) > 0)
        {
            var name = members.ElementAt(random.Next(members.Count)).Key;
            switch (random.Next(5))
            {
                case 0: members.Remove(name); break;
                case 1: members[Whole(Texts[random.Next(Texts.Length)])] = Hostile(random); break;
                default: members[name] = members[name] is { } value ? Change(value.DeepClone(), random) : Hostile(random); break;
            }

            return members;
        }

        if (node is JsonArray { Count: > 0 } list && random.Next(8) > 0)
        {
            var index = random.Next(list.Count);
            switch (random.Next(4))
            {
                case 0: list.Add(list[index]?.DeepClone()); break;
                case 1: list.Add(Hostile(random)); break;
                default: list[index] = list[index] is { } value ? Change(value.DeepClone(), random) : Hostile(random); break;
            }

            return list;
        }

        return Hostile(random) ?? new JsonObject();
    }

    /// <summary>Numbers are inserted as text first, because a node cannot hold all of them.</summary>
    private static JsonNode? Hostile(Random random) => random.Next(6) switch
    {
        0 => null,
        1 => JsonValue.Create(random.Next(2) == 0),
        2 => new JsonArray(),
        3 => new JsonObject(),
        4 => JsonValue.Create($"#{Numbers[random.Next(Numbers.Length)]}#"),
        _ => JsonValue.Create(Whole(Texts[random.Next(Texts.Length)])),
    };

    /// <summary>Half of a surrogate pair can be written in JSON only as an escape.</summary>
    private static string Whole(string text) => string.Concat(text.Select(c => char.IsSurrogate(c) ? $"#u{(int)c:x4}#" : c.ToString()));

    private static string Written(JsonNode body)
    {
        var text = body.ToJsonString();
        foreach (var number in Numbers)
            text = text.Replace($"\"#{number}#\"", number, StringComparison.Ordinal);
        return text.Replace("#ud800#", "\\ud800", StringComparison.Ordinal).Replace("#udc00#", "\\udc00", StringComparison.Ordinal);
    }
}
