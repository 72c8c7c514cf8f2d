using System.Text.Json.Serialization;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using TaskQueue.Adapters.OpenAI;
using TaskQueue.Api.Audit;
using TaskQueue.Api.OpenApi;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Health;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Hosting;

/// <summary>Registers what all APIs share: JSON, problem details, authentication, the OpenAPI document.</summary>
internal static class HttpRegistration
{
    public static IServiceCollection AddHttp(this IServiceCollection services)
    {
        services.AddSingleton<IssuedKeys>().AddSingleton<ApiKeyStore>().AddSingleton<AuthFailures>().AddSingleton<SubmitterTokens>()
            .AddSingleton<Tokens>().AddSingleton<RequestLimits>().AddSingleton<OpenApiCache>();
        services.AddHostedService<ApiKeyRefresh>().AddLoopHealth<ApiKeyRefresh>();
        services.AddOptions<LimitOptions>().BindConfiguration("TaskQueue:Limits").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IOptionsMonitor<LimitOptions>, ValidatedOptionsMonitor<LimitOptions>>();
        services.AddOptions<RedactionOptions>().BindConfiguration("TaskQueue:Redaction");
        services.AddOptions<CorsSettings>().BindConfiguration(CorsSettings.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddCors();
        services.AddSingleton<Redaction>().AddSingleton<IApiErrorObserver, RefusalAudit>().AddSingleton<IAuditSnapshots, AuditSnapshots>();
        services.ConfigureHttpJsonOptions(o =>
        {
            o.SerializerOptions.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower;
            o.SerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.Never;
            o.SerializerOptions.NumberHandling = JsonNumberHandling.Strict; // else the document says that numbers may be texts
        });
        // Errors of the web server itself, such as a wrong method or media type, also get a code: their reason phrase.
        services.AddProblemDetails(o => o.CustomizeProblemDetails = c =>
            c.ProblemDetails.Extensions.TryAdd("code", ReasonPhrases.GetReasonPhrase(c.ProblemDetails.Status ?? 500).ToLowerInvariant()
                .Replace(' ', '_')));
        services.AddOpenApi("v1", o =>
        {
            o.CreateSchemaReferenceId = OpenApiShape.ComponentOf;
            o.AddOperationTransformer(OpenApiSecurity.DescribeAsync).AddOperationTransformer(OpenApiShape.NameAsync)
                .AddSchemaTransformer(OpenApiShape.RelaxAsync).AddDocumentTransformer((document, _, _) =>
                {
                    document.Info.Title = "TaskQueue";
                    document.Info.Version = "v1";
                    document.Servers?.Clear();
                    OpenApiSecurity.Describe(document);
                    return Task.CompletedTask;
                });
        });
        return services;
    }

    /// <summary>Renders errors outside any API, and unknown routes, as problem details.</summary>
    public static void UseHttp(this WebApplication app)
    {
        app.UseMiddleware<RefusedBodies>();
        app.UseTrustedProxies();
        app.UseConfiguredPathBase();
        app.UseMiddleware<SecureHeaders>();
        app.UseExceptionHandler();
        var usual = new StatusCodePagesOptions().HandleAsync;
        app.UseStatusCodePages(page => page.HttpContext.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal)
            ? OpenAIErrors.AnswerPageAsync(page.HttpContext) : usual(page));
        app.UseConfiguredCors();
        app.UseOperationsPort();
        app.UseGrpcPort();
        app.UseMiddleware<OpenRequestLimits>();
        app.UseMiddleware<RequestMemoryMiddleware>();
        app.UseMiddleware<AuthMiddleware>();
        app.MapOpenApi("/openapi/v1.json").Open().WithMetadata(new AnswerCaching("no-cache"))
            .Finally(app.Services.GetRequiredService<OpenApiCache>().Serve);
    }
}
