using Microsoft.Extensions.Options;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.OpenAI;

/// <summary>Determines the dialect of a request.</summary>
internal static class Dialects
{
    private const string Header = "X-Bella-Dialect";

    /// <summary>The dialect requested by the header, else the one of the detected client, else the configured one.</summary>
    /// <exception cref="ApiException">400: the header names an unknown dialect.</exception>
    public static Dialect DialectOf(this HttpContext context)
    {
        var request = context.Request;
        if (request.Headers[Header].FirstOrDefault() is { } word)
        {
            return Enum.TryParse<Dialect>(word, ignoreCase: true, out var dialect) && Enum.IsDefined(dialect)
                ? dialect
                : throw new ApiException(400, "invalid_request", $"{Header} must be bella or openai");
        }

        var agent = request.Headers.UserAgent.ToString();
        var isOpenAI = request.Headers.Keys.Any(k => k.StartsWith("X-Stainless-", StringComparison.OrdinalIgnoreCase))
            || agent.StartsWith("OpenAI/", StringComparison.Ordinal) || agent.StartsWith("AsyncOpenAI/", StringComparison.Ordinal);
        return isOpenAI ? Dialect.OpenAI : context.RequestServices.GetRequiredService<IOptions<DialectOptions>>().Value.Dialect;
    }
}
