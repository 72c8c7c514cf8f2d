using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Http;

namespace TaskQueue.Api.Bella;

/// <summary>How files and batches are written on the wire: one field cannot serve both worlds (bella.md 1.5).</summary>
internal enum Dialect
{
    /// <summary>Milliseconds, <c>""</c> for nothing, 202 for a cancel.</summary>
    Bella,

    /// <summary>Seconds, null for nothing, 200 for a cancel: what the official SDKs read.</summary>
    OpenAI,
}

/// <summary>Section <c>TaskQueue:Bella</c>.</summary>
internal sealed class BellaOptions
{
    /// <summary>The dialect of requests that show none.</summary>
    public Dialect Dialect { get; set; }

    /// <summary>Whether a task that expired is shown as <c>timeout</c>; the original never does (bella.md 3).</summary>
    public bool ShowTimeout { get; set; }

    /// <summary>Whether unknown queues, stats and batches are answered with 200 and no body, as the original does, instead of 404.</summary>
    public bool EmptyForUnknown { get; set; }

    /// <summary>Seconds that a blocking or streaming caller waits where it does not say.</summary>
    [Range(1, 600)]
    public int OnlineTimeoutSeconds { get; set; } = 300;

    /// <summary>Seconds after which a sequential take no longer waits for the running task of a queue.</summary>
    [Range(1, 86_400)]
    public int SequentialLockSeconds { get; set; } = 600;
}

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
        return isOpenAI ? Dialect.OpenAI : context.RequestServices.GetRequiredService<IOptions<BellaOptions>>().Value.Dialect;
    }
}
