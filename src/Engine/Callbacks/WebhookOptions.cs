using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Section <c>TaskQueue:Webhooks</c>: delivery of callbacks.</summary>
public sealed class WebhookOptions : IValidatableObject
{
    private const string Section = "TaskQueue:Webhooks";

    /// <summary>Whether receivers may be in loopback, private and other special networks.</summary>
    /// <value>False: otherwise any caller that may submit a task could reach what only this server should.</value>
    public bool AllowPrivateNetworks { get; set; }

    /// <summary>Hosts that receivers are restricted to: names, or <c>*.example.com</c> for every name below one.</summary>
    /// <value>None: any host.</value>
    public IList<string> AllowedHosts { get; } = [];

    /// <summary>
    /// Secrets in base64, with or without <c>whsec_</c>. Each owner's secrets are derived from them, and its callbacks are signed with
    /// each, so that keys can be rotated.
    /// </summary>
    /// <value>None: callbacks are not signed.</value>
    public IList<string> SigningKeys { get; } = [];

    /// <summary>Timeout of one attempt in seconds.</summary>
    /// <value>30 (bella.md 7.2); 1 to 300.</value>
    [Range(1, 300, ErrorMessage = Section + ":TimeoutSeconds must be 1 to 300")]
    public int TimeoutSeconds { get; set; } = 30;

    /// <summary>Maximum concurrent attempts of a process.</summary>
    /// <value>64; 1 to 1,000.</value>
    [Range(1, 1000, ErrorMessage = Section + ":Concurrency must be 1 to 1000")]
    public int Concurrency { get; set; } = 64;

    /// <summary>Maximum concurrent attempts of a process for one owner and one receiver (scheme, host and port).</summary>
    /// <value>4; 1 to 1,000.</value>
    [Range(1, 1000, ErrorMessage = Section + ":MaxPerOrigin must be 1 to 1000")]
    public int MaxPerOrigin { get; set; } = 4;

    /// <summary>Maximum concurrent attempts of a process for one owner; capped at half of <see cref="Concurrency"/>.</summary>
    /// <value>8; 1 to 1,000.</value>
    [Range(1, 1000, ErrorMessage = Section + ":MaxPerOwner must be 1 to 1000")]
    public int MaxPerOwner { get; set; } = 8;

    /// <summary>Whether a receiver must answer the challenge of an owner before it gets that owner's callbacks.</summary>
    /// <value>False.</value>
    public bool RequireVerification { get; set; }

    /// <summary>Days after which a receiver is challenged again.</summary>
    /// <value>30; 1 to 3,650.</value>
    [Range(1, 3650, ErrorMessage = Section + ":VerificationDays must be 1 to 3650")]
    public int VerificationDays { get; set; } = 30;

    /// <summary>Limits on concurrent attempts: an unresponsive receiver or owner leaves capacity to the others.</summary>
    public CallbackLimits Limits
    {
        get
        {
            var owner = Math.Min(MaxPerOwner, Math.Max(1, Concurrency / 2));
            return new CallbackLimits(Math.Min(MaxPerOrigin, owner), owner, Math.Max(1, Concurrency - owner));
        }
    }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        for (var i = 0; i < SigningKeys.Count; i++)
        {
            if (!(Convert.TryFromBase64String(Plain(SigningKeys[i]), new byte[SigningKeys[i].Length + 3], out var bytes) && bytes >= 16))
                yield return new($"{Section}:SigningKeys:{i} must be at least 16 bytes in base64");
        }

        for (var i = 0; i < AllowedHosts.Count; i++)
        {
            var host = AllowedHosts[i];
            if (Uri.CheckHostName(host.StartsWith("*.", StringComparison.Ordinal) ? host[2..] : host) == UriHostNameType.Unknown)
                yield return new($"{Section}:AllowedHosts:{i} must be a host, without scheme and port, or *. and a name");
        }
    }

    /// <summary>The decoded secrets.</summary>
    public IEnumerable<byte[]> Secrets() => SigningKeys.Select(k => Convert.FromBase64String(Plain(k)));

    private static string Plain(string key) =>
        key.StartsWith(WebhookSecrets.Prefix, StringComparison.Ordinal) ? key[WebhookSecrets.Prefix.Length..] : key;
}
