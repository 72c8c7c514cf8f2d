using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Keys;

/// <summary>POST /keys.</summary>
/// <param name="Name">Name of the caller: 1 to 128 characters.</param>
/// <param name="Tenant">Owner of what the key creates; an administrator key with a tenant administers that tenant only. Default: the name;
/// an administrator key issued by an operator then covers all tenants.</param>
/// <param name="Scopes">enqueue, work, read or admin, which may name their queues as in admin:shop-*; default enqueue and read.</param>
/// <param name="Queues">Patterns of the queues covered by scopes without queues of their own; default all. Required for the scope
/// work.</param>
/// <param name="ExpiresAt">Expiry time: ISO 8601 with a zone, or Unix seconds; default never.</param>
/// <param name="Rate">Rate limit; default as configured on the server.</param>
/// <param name="Quota">Quota of its tenant; only operators may set one.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyBody(
    string? Name, string? Tenant, IReadOnlyList<string?>? Scopes, IReadOnlyList<string?>? Queues, JsonElement? ExpiresAt, KeyRate? Rate,
    KeyQuota? Quota);

/// <summary>POST /keys/{id}/rotate.</summary>
/// <param name="OverlapSeconds">How long the previous key stays valid: 0, the default, to 604800.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyRotateBody(int? OverlapSeconds);

/// <summary>Rate limit of requests, a token bucket.</summary>
/// <param name="PerSecond">Sustained requests per second.</param>
/// <param name="Burst">Maximum burst; default: same as per_second.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record KeyRate(int? PerSecond, int? Burst);

/// <summary>Quota of a tenant; omitted limits are not set by the key.</summary>
/// <param name="WaitingTasks">Maximum waiting tasks.</param>
/// <param name="FileBytes">Maximum total bytes of files.</param>
/// <param name="Queues">Maximum declared queues.</param>
/// <param name="Schedules">Maximum schedules.</param>
/// <param name="Streams">Maximum open event streams.</param>
/// <param name="RequestsPerSecond">Maximum requests per second of all its keys together.</param>
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
/// <param name="Name">Name of the caller.</param>
/// <param name="Tenant">Owner of what the key creates.</param>
/// <param name="AllTenants">Whether its scope admin covers all tenants.</param>
/// <param name="Scopes">Granted scopes.</param>
/// <param name="Queues">Patterns of the covered queues; null: all.</param>
/// <param name="ExpiresAt">Expiry time; null: never.</param>
/// <param name="Rate">Rate limit; null: as configured on the server.</param>
/// <param name="Quota">Quota of its tenant, or null.</param>
/// <param name="CreatedAt">When it was issued.</param>
/// <param name="CreatedBy">Name of the caller that issued it.</param>
/// <param name="LastUsedAt">Minute of its last use; null: never used.</param>
/// <param name="PreviousUntil">When the previous key expires after a rotation, or null.</param>
/// <param name="Key">The secret, shown only when issued and when rotated.</param>
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
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static KeyJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
