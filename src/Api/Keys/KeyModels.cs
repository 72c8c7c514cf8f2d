using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Keys;

/// <summary>POST /keys.</summary>
/// <param name="Name">Who calls with the key: 1 to 128 characters.</param>
/// <param name="Tenant">Owner of what is made with it; a key with a tenant administrates that tenant alone. Default: the name, and an
/// operator's administrator key sees every tenant.</param>
/// <param name="Scopes">enqueue, work, read or admin, which may name their queues as in admin:shop-*; default enqueue and read.</param>
/// <param name="Queues">Patterns of the queues that the scopes without queues of their own cover; default all. The scope work needs
/// them.</param>
/// <param name="ExpiresAt">Refused from then on: ISO 8601 with a zone, or Unix seconds; default never.</param>
/// <param name="Rate">Requests that it may make; default as the server is configured.</param>
/// <param name="Quota">What its tenant may use; only operators give one.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyBody(
    string? Name, string? Tenant, IReadOnlyList<string?>? Scopes, IReadOnlyList<string?>? Queues, JsonElement? ExpiresAt, KeyRate? Rate,
        KeyQuota? Quota);

/// <summary>POST /keys/{id}/rotate.</summary>
/// <param name="OverlapSeconds">How long the previous key still works: 0, the default, to 604800.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyRotateBody(int? OverlapSeconds);

/// <summary>A token bucket of requests.</summary>
/// <param name="PerSecond">Requests a second in the long run.</param>
/// <param name="Burst">Requests at once; default as many as a second brings.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyRate(int? PerSecond, int? Burst);

/// <summary>What a tenant may use; what is left out is not limited by the key.</summary>
/// <param name="WaitingTasks">Tasks that wait.</param>
/// <param name="FileBytes">Bytes of files.</param>
/// <param name="Queues">Queues that it declared.</param>
/// <param name="Schedules">Schedules.</param>
/// <param name="Streams">Open streams of events.</param>
/// <param name="RequestsPerSecond">Requests a second of all its keys.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyQuota(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? WaitingTasks,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? FileBytes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Queues,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Schedules,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Streams,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? RequestsPerSecond);

/// <summary>An issued key.</summary>
/// <param name="Id">Identifies the key in the API.</param>
/// <param name="Name">Who calls with it.</param>
/// <param name="Tenant">Owner of what is made with it.</param>
/// <param name="AllTenants">Whether its scope admin covers what every tenant owns.</param>
/// <param name="Scopes">What it allows.</param>
/// <param name="Queues">Patterns of the queues that it covers; null is all.</param>
/// <param name="ExpiresAt">Refused from then on; null is never.</param>
/// <param name="Rate">Requests that it may make; null is as the server is configured.</param>
/// <param name="Quota">What its tenant may use, or null.</param>
/// <param name="CreatedAt">When it was issued.</param>
/// <param name="CreatedBy">Name of the caller that issued it.</param>
/// <param name="LastUsedAt">The minute in which it was last used; null is never.</param>
/// <param name="PreviousUntil">When the key before the last rotation stops working, or null.</param>
/// <param name="Key">The key itself, shown once: when it is issued and when it is rotated.</param>
internal sealed record KeyDetails(
    Guid Id, string Name, string Tenant, bool AllTenants, IReadOnlyList<string> Scopes, IReadOnlyList<string>? Queues, DateTime? ExpiresAt,
        KeyRate? Rate, KeyQuota? Quota,
    DateTime CreatedAt, string? CreatedBy, DateTime? LastUsedAt, DateTime? PreviousUntil,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Key = null);

/// <summary>GET /keys.</summary>
/// <param name="Keys">Oldest first.</param>
internal sealed record KeyList(IReadOnlyList<KeyDetails> Keys);

[JsonSerializable(typeof(KeyBody))]
[JsonSerializable(typeof(KeyRotateBody))]
[JsonSerializable(typeof(KeyDetails))]
[JsonSerializable(typeof(KeyList))]
internal sealed partial class KeyJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static KeyJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
