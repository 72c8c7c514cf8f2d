using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Http.Auth;

/// <summary>Reads and writes the JSON columns of an issued key.</summary>
internal static class KeyTexts
{
    /// <summary>Marker among the stored scopes of a key not confined to its tenant. It is not a scope and cannot be requested.</summary>
    private const string AllTenants = "all-tenants";

    public static string OfScopes(IEnumerable<string> scopes, bool isConfined) =>
        JsonSerializer.Serialize([.. isConfined ? scopes : scopes.Append(AllTenants)], KeyTextJson.Instance.StringArray);

    public static string? OfQueues(IReadOnlyList<string>? queues) =>
        queues is null ? null : JsonSerializer.Serialize([.. queues], KeyTextJson.Instance.StringArray);

    public static string? OfRate(RequestRate? rate) =>
        rate is null ? null : JsonSerializer.Serialize(rate, KeyTextJson.Instance.RequestRate);

    public static bool IsConfined(ApiKeyRecord key) => !Read(key.ScopesText).Contains(AllTenants);

    public static IReadOnlyList<string> Scopes(ApiKeyRecord key) => [.. Read(key.ScopesText).Where(scope => scope != AllTenants)];

    public static IReadOnlyList<string>? Queues(ApiKeyRecord key) => key.QueuesText is null ? null : Read(key.QueuesText);

    public static RequestRate? Rate(ApiKeyRecord key) =>
        key.RateText is null ? null : JsonSerializer.Deserialize(key.RateText, KeyTextJson.Instance.RequestRate);

    public static IReadOnlyList<Grant> Grants(ApiKeyRecord key) => Engine.Auth.Scopes.Grants(Scopes(key), Queues(key));

    /// <summary>Creates the caller of a key; null if its row cannot be read.</summary>
    public static Caller? ToCaller(ApiKeyRecord key)
    {
        try
        {
            return new Caller(key.Name, key.Tenant, Grants(key), IsConfined(key))
            {
                Rate = Rate(key),
                KeyId = key.Id,
                ExpiresAt = key.ExpiresAt,
            };
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string[] Read(string json) => JsonSerializer.Deserialize(json, KeyTextJson.Instance.StringArray) ?? [];
}

[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(RequestRate))]
internal sealed partial class KeyTextJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options; computed properties are not stored.</summary>
    public static KeyTextJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options)
    {
        AllowDuplicateProperties = true,
        IgnoreReadOnlyProperties = true,
    });
}
