using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>keys list</c>, <c>create</c>, <c>revoke</c> and <c>rotate</c>.</summary>
internal static class KeyCommands
{
    private static readonly Argument<string> Name = new("NAME") { Description = "Name of the caller that uses the key." };
    private static readonly Argument<string> Id = new("ID") { Description = "Id of the key, as shown by 'keys list'." };
    private static readonly Argument<string?> OneId = new("ID") { Description = "Show this key in detail.",
        Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Tenant = new("--tenant")
    {
        Description = "Owner of what the key creates. Default: the name; an administrator key without a tenant covers all tenants.",
    };
    private static readonly Option<string[]> Scope = new("--scope")
    {
        Description = "enqueue, work, read or admin, with or without queues as in admin:shop-*; may be repeated. Default: enqueue and "
            + "read.",
    };
    private static readonly Option<string[]> Queue = new("--queue")
    {
        Description = "Pattern of queues covered by the key, such as shop-*; may be repeated. Default: all.",
    };
    private static readonly Option<string?> Expires = new("--expires")
    {
        Description = "Expiry of the key: a time, or a duration from now such as 90d.",
        HelpName = "TIME",
    };
    private static readonly Option<int?> Rate = new("--rate") { Description = "Requests per second." };
    private static readonly Option<int?> Burst = new("--burst") { Description = "Maximum burst of requests; needs --rate." };
    private static readonly Option<string?> Quota = new("--quota")
    {
        Description = """Quota of the tenant as JSON, such as {"waiting_tasks":1000}.""",
        HelpName = "JSON",
    };
    private static readonly Option<string?> Overlap = new("--overlap")
    {
        Description = "How long the previous key stays valid, such as 1h; at most 7d. Default: not at all.",
        HelpName = "DURATION",
    };

    public static Command Keys() => new("keys", "Issues, lists, rotates and revokes API keys.")
    {
        Session.Command("list", "Lists the issued keys, or shows one in detail. Configured keys are not included.",
            (session, parsed, cancellationToken) =>
            parsed.GetValue(OneId) is { } id ? ShowAsync(session, id, cancellationToken) : ListAsync(session, cancellationToken), OneId),
        Session.Command("create", "Issues a key and prints it, once.", CreateAsync, Name, Tenant, Scope, Queue, Expires, Rate,
            Burst, Quota),
        Session.Command("revoke", "Revokes a key: every process refuses it within two seconds.", RevokeAsync, Id),
        Session.Command("rotate", "Replaces the secret of a key and prints the new one, once.", RotateAsync, Id, Overlap),
    };

    private static async Task<int> ListAsync(Session session, CancellationToken cancellationToken)
    {
        var list = await session.GetAsync("/keys", cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(list);
            return ExitCode.Done;
        }

        var table = Output.NewTable("ID", "NAME", "TENANT", "SCOPES", "QUEUES", "EXPIRES", "LAST USED", "CREATED BY");
        foreach (var key in list.GetProperty("keys").EnumerateArray())
            Output.AddRow(table, key.Cell("id"), key.Cell("name"), key.Cell("tenant"), Words(key, "scopes"), Words(key, "queues"),
                key.Cell("expires_at"), key.Cell("last_used_at"), key.Cell("created_by"));
        session.Output.Table(table);
        return ExitCode.Done;
    }

    private static async Task<int> ShowAsync(Session session, string id, CancellationToken cancellationToken)
    {
        var key = await session.GetAsync(Session.Path("keys", id), cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(key);
        else
            session.Output.Table(Details.Of(key));
        return ExitCode.Done;
    }

    private static async Task<int> CreateAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["name"] = parsed.GetRequiredValue(Name) };
        if (parsed.GetValue(Tenant) is { } tenant)
            body["tenant"] = tenant;
        if (parsed.GetValue(Scope) is { Length: > 0 } scopes)
            body["scopes"] = new JsonArray([.. scopes.Select(s => JsonValue.Create(s))]);
        if (parsed.GetValue(Queue) is { Length: > 0 } queues)
            body["queues"] = new JsonArray([.. queues.Select(q => JsonValue.Create(q))]);
        if (parsed.GetValue(Expires) is { } expires)
            body["expires_at"] = TimeParser.Time(expires, "--expires", TimeProvider.System.GetUtcNow())
                .UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        var (rate, burst) = (parsed.GetValue(Rate), parsed.GetValue(Burst));
        if (rate is null && burst is not null)
            throw CommandException.Usage("--burst needs --rate");
        if (rate is not null)
            body["rate"] = burst is null ? new JsonObject { ["per_second"] = rate }
                : new JsonObject { ["per_second"] = rate, ["burst"] = burst };
        if (parsed.GetValue(Quota) is { } quota)
            body["quota"] = Parse(quota);
        return Print(session, await session.PostAsync("/keys", JsonSerializer.SerializeToElement(body), cancellationToken));
    }

    private static async Task<int> RotateAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var overlap = parsed.GetValue(Overlap) is not { } text ? TimeSpan.Zero : TimeParser.Duration(text)
            ?? throw CommandException.Usage($"--overlap must be {TimeParser.DurationRule}");
        var body = JsonSerializer.SerializeToElement(new JsonObject { ["overlap_seconds"] = (long)overlap.TotalSeconds });
        return Print(session,
            await session.PostAsync(Session.Path("keys", parsed.GetRequiredValue(Id), "/rotate"), body, cancellationToken));
    }

    private static async Task<int> RevokeAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var id = parsed.GetRequiredValue(Id);
        await session.Client.CallAsync(HttpMethod.Delete, Session.Path("keys", id), null, cancellationToken);
        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new { id, revoked = true }));
        else
            session.Output.Line($"{Output.Clean(id)} is revoked");
        return ExitCode.Done;
    }

    /// <summary>Writes only the key to standard output, so that it can be piped; its details go to the error stream.</summary>
    private static int Print(Session session, JsonElement key)
    {
        if (session.Output.IsJson)
        {
            session.Output.Json(key);
            return ExitCode.Done;
        }

        Console.Error.WriteLine(Output.Clean($"Key {key.Cell("id")} of {key.Cell("name")}, tenant {key.Cell("tenant")}, scopes "
            + $"{Words(key, "scopes")}; it is not shown again:"));
        session.Output.Line(key.Cell("key"));
        return ExitCode.Done;
    }

    private static string Words(JsonElement key, string name) =>
        key.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
            ? string.Join(',', list.EnumerateArray().Select(word => word.Cell())) : "";

    private static JsonNode? Parse(string json)
    {
        try
        {
            return JsonNode.Parse(json);
        }
        catch (JsonException)
        {
            throw CommandException.Usage("--quota must be JSON");
        }
    }
}
