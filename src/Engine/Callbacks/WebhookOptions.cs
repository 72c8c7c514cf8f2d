using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Section <c>TaskQueue:Webhooks</c>: how callbacks are sent.</summary>
public sealed class WebhookOptions : IValidatableObject
{
    private const string Prefix = "whsec_";

    /// <summary>Whether receivers may lie in loopback, private and other special networks.</summary>
    /// <value>False: whoever may submit a task could otherwise reach what only this server should.</value>
    public bool AllowPrivateNetworks { get; set; }

    /// <summary>Secrets in base64, with or without <c>whsec_</c>: every callback is signed with each, so that one can follow another.</summary>
    /// <value>None: callbacks are not signed.</value>
    public IList<string> SigningKeys { get; } = [];

    /// <summary>Seconds that one try may take.</summary>
    /// <value>30 (bella.md 7.2).</value>
    [Range(1, 300)]
    public int TimeoutSeconds { get; set; } = 30;

    /// <summary>Tries at once in a process.</summary>
    [Range(1, 1000)]
    public int Concurrency { get; set; } = 32;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        for (var i = 0; i < SigningKeys.Count; i++)
        {
            if (!(Convert.TryFromBase64String(Plain(SigningKeys[i]), new byte[SigningKeys[i].Length + 3], out var bytes) && bytes >= 16))
                yield return new($"TaskQueue:Webhooks:SigningKeys:{i} must be at least 16 bytes in base64");
        }
    }

    /// <summary>The secrets themselves.</summary>
    public IEnumerable<byte[]> Secrets() => SigningKeys.Select(k => Convert.FromBase64String(Plain(k)));

    private static string Plain(string key) => key.StartsWith(Prefix, StringComparison.Ordinal) ? key[Prefix.Length..] : key;
}
