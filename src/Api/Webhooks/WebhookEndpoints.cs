using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Webhooks;

/// <summary>GET /webhooks/secret: what the callbacks of a tenant are signed with.</summary>
/// <param name="Owner">The tenant; null is nobody, as on a server without authentication.</param>
/// <param name="Secrets">One for each signing key of the server, as libraries of Standard Webhooks read them; empty where there is
/// none.</param>
internal sealed record WebhookSecretList(string? Owner, IReadOnlyList<string> Secrets);

[JsonSerializable(typeof(WebhookSecretList))]
internal sealed partial class WebhookJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static WebhookJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>What receivers of callbacks need.</summary>
internal static class WebhookEndpoints
{
    public static void MapWebhooks(this WebApplication app) =>
        app.MapGet("/webhooks/secret", GetSecret).WithTags("webhooks").AnswerFaults(ApiErrors.Problem).Needs(Scope.Enqueue)
            .Produces<WebhookSecretList>().ProducesProblem(400).ProducesProblem(403)
            .TakesQuery("owner", "Another owner, for operators; default the caller's own tenant. An empty one is nobody.")
            .WithSummary("The secrets that the callbacks of the caller's tenant are signed with.");

    private static IResult GetSecret(HttpContext context, IOptions<WebhookOptions> options)
    {
        context.DemandTenant();
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
