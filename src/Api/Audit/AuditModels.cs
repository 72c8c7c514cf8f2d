using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Audit;

/// <summary>An administrative action, or a refused authentication or access.</summary>
/// <param name="Id">Number of the record; increases with time.</param>
/// <param name="At">When it happened.</param>
/// <param name="Actor">Name of the caller; null if unknown.</param>
/// <param name="Tenant">Tenant of the caller; null if unknown.</param>
/// <param name="Action">The action, such as <c>queue.purge</c>, or <c>auth.refused</c>, <c>access.refused</c> and
/// <c>rate.refused</c>.</param>
/// <param name="Target">The target, such as <c>queue/mail</c>.</param>
/// <param name="Before">State before the action.</param>
/// <param name="After">State after the action. For repeated refusals or failures within a minute: <c>count</c> and
/// <c>until</c>.</param>
/// <param name="Address">Address of the caller; for IPv6 its /64.</param>
/// <param name="Result"><c>done</c>, or <c>refused</c> or <c>failed</c> with the reason.</param>
internal sealed record AuditDetails(
    long Id, DateTime At, string? Actor, string? Tenant, string Action, string? Target, RawJson? Before, RawJson? After, string? Address,
    string Result);

/// <summary>GET /audit.</summary>
/// <param name="Records">Newest first.</param>
/// <param name="Next">The <c>after</c> of the next page; null at the end.</param>
internal sealed record AuditPage(IReadOnlyList<AuditDetails> Records, string? Next);

[JsonSerializable(typeof(AuditPage))]
internal sealed partial class AuditJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static AuditJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
