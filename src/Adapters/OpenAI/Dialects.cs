using Microsoft.Extensions.Options;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.OpenAI;

/// <summary>Finds the dialect of a request.</summary>
internal static class Dialects
{
    private const string Header = "X-Bella-Dialect";

    /// <summary>The dialect of a request: what its header demands, else what its client shows, else the configured one.</summary>
    /// <exception cref="ApiException">400: the header names none.</exception>
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
