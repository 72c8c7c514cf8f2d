using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Webhooks;

/// <summary>GET /webhooks/secret: the signing secrets for a tenant's callbacks.</summary>
/// <param name="Owner">The tenant; null: none, as on a server without authentication.</param>
/// <param name="Secrets">One per signing key of the server, in the format of Standard Webhooks; empty if there is
/// none.</param>
internal sealed record WebhookSecretList(string? Owner, IReadOnlyList<string> Secrets);

[JsonSerializable(typeof(WebhookSecretList))]
internal sealed partial class WebhookJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static WebhookJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Endpoints for callback receivers.</summary>
internal static class WebhookEndpoints
{
    public static void MapWebhooks(this WebApplication app) =>
        app.MapGet("/webhooks/secret", GetSecret).WithTags("webhooks").AnswerFaults(ApiErrors.Problem).Needs(Scope.Enqueue).ForKeysOnly()
            .Produces<WebhookSecretList>().ProducesProblem(400).ProducesProblem(403)
            .TakesQuery("owner", "Another owner, for operators; default: the caller's own tenant. Empty: no owner.")
            .WithSummary("List the secrets that sign the callbacks of the caller's tenant.");

    private static IResult GetSecret(HttpContext context, IOptions<WebhookOptions> options)
    {
        context.DemandTenant();
        PageQuery.DemandKnown(context.Request, "owner");
        var caller = context.Caller();
        var asked = context.Request.Query["owner"];
        if (asked.Count > 1 || (asked is [{ Length: > 0 } name] && !CallerNames.IsValid(name)))
            throw new ApiException(400, "invalid_request", $"owner must be given once, as a name of {CallerNames.Rule}");
        var owner = asked is [var one] ? (one is { Length: > 0 } ? one : null) : caller.Tenant;
        if (owner != caller.Tenant && !caller.IsOperator)
            throw new ApiException(403, "forbidden",
                "only an operator reads secrets of other owners; leave owner out for those of this key's tenant");
        var secrets = WebhookSecrets.Of(options.Value, owner).Select(WebhookSecrets.Format);
        return Results.Json(new WebhookSecretList(owner, [.. secrets]), WebhookJson.Instance.WebhookSecretList);
    }
}
