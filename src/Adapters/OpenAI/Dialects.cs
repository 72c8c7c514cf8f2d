using Microsoft.Extensions.Options;
using TaskQueue.Engine.Batches;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.OpenAI;

/// <summary>Determines the dialect of a request.</summary>
internal static class Dialects
{
    private const string Header = "X-Bella-Dialect", OfBella = "X-Bella-", OfSdk = "X-Stainless-", Sdk = "OpenAI/";

    /// <summary>
    /// The dialect that the request shows; else that of its key; else the configured one. Only Bella's clients show Bella's dialect.
    /// </summary>
    /// <exception cref="ApiException">400: the header names an unknown dialect.</exception>
    public static Dialect DialectOf(this HttpContext context) => Shown(context) ?? Configured(context);

    /// <summary>The dialect of an answer with a batch: as the request shows it; else that in which the batch was created.</summary>
    /// <exception cref="ApiException">400: the header names an unknown dialect.</exception>
    public static Dialect DialectOf(this HttpContext context, BatchState batch) =>
        Shown(context) ?? (batch.Strict ? Configured(context) : Dialect.Bella);

    private static Dialect? Shown(HttpContext context)
    {
        var request = context.Request;
        if (request.Headers[Header].FirstOrDefault() is { } word)
        {
            return Enum.TryParse<Dialect>(word, ignoreCase: true, out var dialect) && Enum.IsDefined(dialect)
                ? dialect
                : throw new ApiException(400, "invalid_request", $"{Header} must be bella or openai");
        }

        // An SDK names itself after the name of its application: 'shop/1.2 OpenAI/2.1.0'. It may also send Bella's header for the queue.
        if (Has(request, OfSdk) || request.Headers.UserAgent.ToString().Contains(Sdk, StringComparison.Ordinal))
            return Dialect.OpenAI;
        return Has(request, OfBella) ? Dialect.Bella : null;
    }

    private static Dialect Configured(HttpContext context)
    {
        var options = context.RequestServices.GetRequiredService<IOptions<DialectOptions>>().Value;
        return context.Caller().Name is { } name && options.Keys.Contains(name) ? Dialect.Bella : options.Dialect;
    }

    private static bool Has(HttpRequest request, string prefix) =>
        request.Headers.Keys.Any(k => k.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}
