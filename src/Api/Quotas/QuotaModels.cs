using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Quotas;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Quotas;

/// <summary>GET /quota: the limits and the usage of a tenant. A limit is null if there is none.</summary>
internal sealed record QuotaDetails(
    string? Tenant, ResourceUsage WaitingTasks, ResourceUsage FileBytes, ResourceUsage Queues, ResourceUsage Schedules,
    ResourceUsage Streams, ResourceUsage RequestsPerSecond)
{
    public static QuotaDetails Of(string? tenant, IReadOnlyDictionary<QuotaResource, ResourceUsage> usage) => new(
        tenant, usage[QuotaResource.WaitingTasks], usage[QuotaResource.FileBytes], usage[QuotaResource.Queues],
        usage[QuotaResource.Schedules], usage[QuotaResource.Streams],
        usage[QuotaResource.RequestsPerSecond]);
}

[JsonSerializable(typeof(QuotaDetails))]
internal sealed partial class QuotaJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static QuotaJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
