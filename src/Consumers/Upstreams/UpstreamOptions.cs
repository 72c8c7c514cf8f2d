using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Section <c>TaskQueue:Upstreams</c>: HTTP servers to which tasks of an endpoint are forwarded, instead of a worker.</summary>
public sealed class UpstreamList : IValidatableObject
{
    /// <summary>The upstreams; several may serve one endpoint.</summary>
    /// <value>None: nothing is forwarded.</value>
    public IList<UpstreamOptions> Upstreams { get; } = [];

    /// <summary>Reads the section. Binding it as a list would silently skip invalid entries.</summary>
    /// <exception cref="OptionsValidationException">An entry is invalid.</exception>
    internal void Read(IConfiguration configuration)
    {
        foreach (var entry in configuration.GetSection("TaskQueue:Upstreams").GetChildren())
        {
            try
            {
                Upstreams.Add(entry.Get<UpstreamOptions>(b => b.ErrorOnUnknownConfiguration = true) ?? new UpstreamOptions());
            }
            catch (InvalidOperationException fault)
            {
                throw new OptionsValidationException(entry.Path, typeof(UpstreamList),
                    [$"{entry.Path} cannot be read: {(fault.InnerException as InvalidOperationException ?? fault).Message}"]);
            }
        }
    }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Upstreams.Select((u, i) => u.Problem is { } problem ? new ValidationResult($"TaskQueue:Upstreams:{i}:{problem}") : null)
            .OfType<ValidationResult>();
}

/// <summary>One HTTP server that tasks are forwarded to.</summary>
public sealed class UpstreamOptions
{
    private static readonly int[] UsualTiers = [0, 1];

    /// <summary>The path named by callers, such as <c>/v1/chat/completions</c>; at most 256 characters.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>
    /// Base URL of the server, such as <c>http://localhost:11434</c>; segments shared with the endpoint appear once in the request URL.
    /// </summary>
    public string BaseUrl { get; set; } = "";

    /// <summary>API key sent as bearer token.</summary>
    /// <value>Null: none is sent.</value>
    public string? ApiKey { get; set; }

    /// <summary>Setting of older versions, which passed callers' keys to upstreams; rejected.</summary>
    public bool? UseSubmitterKey { get; set; }

    /// <summary>Maximum number of concurrent requests per process.</summary>
    /// <value>16; 1 to 1,000.</value>
    public int MaxConcurrency { get; set; } = 16;

    /// <summary>
    /// Whether the number of concurrent requests is found while tasks run: the one that brings the most answers a second, at most
    /// <see cref="MaxConcurrency"/>.
    /// </summary>
    public bool AdaptConcurrency { get; set; }

    /// <summary>
    /// Its share of the tasks among upstreams that serve the same ones, as long as they have free slots and do not pause. Fallbacks have
    /// none.
    /// </summary>
    /// <value>1; 1 to 1,000.</value>
    public int Weight { get; set; } = 1;

    /// <summary>Timeout in seconds for a whole response, or for the next event of a streamed one.</summary>
    /// <value>600; 1 to 86,400.</value>
    public int TimeoutSeconds { get; set; } = 600;

    /// <summary>
    /// Maximum number of retries after 429, 5xx or a broken connection, and for items of batches after no answer in time, before the
    /// failure becomes the outcome. While the upstream refuses requests or cannot be reached, items of batches are retried until their
    /// batch's window ends.
    /// </summary>
    /// <value>5; 0 to 1,000.</value>
    public int MaxRetries { get; set; } = 5;

    /// <summary>Maximum size of an answer in bytes, after decompression.</summary>
    /// <value>16 MiB; 1 KiB to 64 MiB.</value>
    public int MaxAnswerBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Requests a minute that each owner may send to it, over all processes.</summary>
    /// <value>Null: no limit.</value>
    public long? OwnerRequestsPerMinute { get; set; }

    /// <summary>
    /// Tokens a minute that each owner may use, over all processes: estimated before a request is sent, and corrected by the
    /// <c>usage</c> of its answer.
    /// </summary>
    /// <value>Null: no limit.</value>
    public long? OwnerTokensPerMinute { get; set; }

    /// <summary>
    /// Whether it serves only what the other upstreams of its endpoint cannot: tasks whose model pauses or that failed there, or all while
    /// they pause.
    /// </summary>
    public bool IsFallback { get; set; }

    /// <summary>Queues to serve exclusively.</summary>
    /// <value>None: a queue of its own, and every registered queue of the endpoint that no other upstream lists here.</value>
    public IList<string> Queues { get; } = [];

    /// <summary>
    /// Names of the models it has, shown by <c>GET /v1/models</c>. While another upstream pauses, only tasks of these models move to it.
    /// </summary>
    /// <value>None: they are not listed, and tasks of any model move to it.</value>
    public IList<string> Models { get; } = [];

    /// <summary>Tiers to serve, highest precedence first.</summary>
    /// <value>None: 0, then 1.</value>
    public IList<int> Tiers { get; } = [];

    /// <summary>Tiers that it serves, highest precedence first.</summary>
    internal IEnumerable<int> ServedTiers => Tiers.Count > 0 ? Tiers : UsualTiers;

    /// <summary>Whether it serves the same tiers as another one.</summary>
    internal bool HasTiersOf(UpstreamOptions other) => ServedTiers.ToHashSet().SetEquals(other.ServedTiers);

    /// <summary>Whether it serves what another one serves.</summary>
    internal bool HasTasksOf(UpstreamOptions other) =>
        Endpoint == other.Endpoint && Queues.Order(StringComparer.Ordinal).SequenceEqual(other.Queues.Order(StringComparer.Ordinal));

    /// <summary>The problem: the key below the upstream's index, and the fix. Never contains the API key.</summary>
    internal string? Problem =>
        Endpoint is not { Length: > 1 and <= 256 } || Endpoint[0] != '/'
            || Endpoint.Any(c => c is '?' or '#' or '\\' or '%' || char.IsControl(c) || char.IsWhiteSpace(c))
            || Endpoint.Split('/')[1..].Any(s => s is "" or "." or "..") ? "Endpoint must be a path such as /v1/chat/completions"
        : !(Uri.TryCreate(BaseUrl, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.Host.Length > 0
            && url.UserInfo.Length + url.Query.Length + url.Fragment.Length == 0)
            ? "BaseUrl must be an http or https URL without user, query and fragment"
        : ApiKey?.All(c => c is > ' ' and <= '~') == false ? "ApiKey must be of visible ASCII characters"
        : UseSubmitterKey is not null
            ? "UseSubmitterKey was removed, because callers' keys are no longer stored; set ApiKey to a key of the upstream"
        : MaxConcurrency is < 1 or > 1000 ? "MaxConcurrency must be 1 to 1000"
        : Weight is < 1 or > 1000 ? "Weight must be 1 to 1000"
        : TimeoutSeconds is < 1 or > 86_400 ? "TimeoutSeconds must be 1 to 86400"
        : MaxRetries is < 0 or > 1000 ? "MaxRetries must be 0 to 1000"
        : MaxAnswerBytes is < 1024 or > 64 * 1024 * 1024 ? "MaxAnswerBytes must be 1024 to 67108864"
        : OwnerRequestsPerMinute is < 1 or > SharedBudget.MaxPerMinute ? "OwnerRequestsPerMinute must be 1 to 60000000000"
        : OwnerTokensPerMinute is < 1 or > SharedBudget.MaxPerMinute ? "OwnerTokensPerMinute must be 1 to 60000000000"
        : Queues.Any(q => !QueueNames.IsValid(q)) ? $"Queues must be names of {QueueNames.Rule}"
        : Tiers.Any(l => l is < 0 or > QueueNames.MaxTier) ? $"Tiers must be 0 to {QueueNames.MaxTier}"
        : null;
}
