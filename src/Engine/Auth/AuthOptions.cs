using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Auth;

/// <summary>Section <c>TaskQueue:Auth</c>: authentication of callers.</summary>
public sealed class AuthOptions : IValidatableObject
{
    /// <summary>
    /// Keys that callers present as bearer tokens. Several can be valid at once; a configuration change applies immediately.
    /// </summary>
    /// <value>None: no key is required, and the server listens on loopback only.</value>
    public IList<ApiKeyOptions> ApiKeys { get; } = [];

    /// <summary>A JSON file <c>{"ApiKeys": […]}</c> with further keys; a change of the file applies within seconds.</summary>
    public string? KeysFile { get; set; }

    /// <summary>Content of <see cref="KeysFile"/>; not for configuration.</summary>
    public IList<ApiKeyOptions> FileKeys { get; } = [];

    /// <summary>Why <see cref="KeysFile"/> cannot be read, or null; not for configuration.</summary>
    public string? FileProblem { get; set; }

    /// <summary>Tokens that callers may present instead of keys.</summary>
    public JwtOptions Jwt { get; set; } = new();

    /// <summary>
    /// 32 bytes in base64, the same in every process: signs the tokens that workers receive from queues with <c>submitter_token</c>.
    /// </summary>
    public string? TokenKey { get; set; }

    /// <summary>Used by older versions, which passed callers' keys to workers; rejected.</summary>
    public string? SecretKey { get; set; }

    /// <summary>All keys.</summary>
    public IEnumerable<ApiKeyOptions> Keys => ApiKeys.Concat(FileKeys);

    /// <summary>Whether callers must authenticate.</summary>
    public bool IsOn => ApiKeys.Count > 0 || KeysFile is not null || Jwt.IsOn;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var problem in Problems(ApiKeys, "TaskQueue:Auth:ApiKeys:")
            .Concat(Problems(FileKeys, $"TaskQueue:Auth:KeysFile {KeysFile}: ApiKeys:")))
            yield return problem;
        foreach (var id in Keys.Select(k => k.SigningId).OfType<string>().GroupBy(id => id).Where(g => g.Skip(1).Any()))
            yield return new($"TaskQueue:Auth: the SigningId '{id.Key}' belongs to several keys; give each its own");
        if (KeysFile is not null && (FileProblem is not null || FileKeys.Count == 0))
            yield return new($"TaskQueue:Auth:KeysFile {KeysFile} {FileProblem ?? "is missing or has no ApiKeys"}");
        if (Jwt.Problem is { } wrong)
            yield return new($"TaskQueue:Auth:Jwt:{wrong}");
        if (SecretKey is not null)
            yield return new("TaskQueue:Auth:SecretKey is no longer supported: 'ak' now holds the submitter's name, not its key; "
                + "remove it. For workers that act for the submitter set submitter_token on the queue, and TaskQueue:Auth:TokenKey");
        if (TokenKey is not null && !(Convert.TryFromBase64String(TokenKey, new byte[TokenKey.Length], out var bytes) && bytes == 32))
            yield return new("TaskQueue:Auth:TokenKey must be 32 bytes in base64, such as 'openssl rand -base64 32' makes");
    }

    private static IEnumerable<ValidationResult> Problems(IEnumerable<ApiKeyOptions> keys, string at) =>
        keys.Select((key, index) => key.Problem is { } problem ? new ValidationResult($"{at}{index} {problem}") : null)
            .OfType<ValidationResult>();
}

/// <summary>An API key.</summary>
public sealed class ApiKeyOptions
{
    /// <summary>Name of the caller that uses the key, 1 to 128 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>
    /// Owner of what is created with the key; keys of one tenant see each other's work. An administrator with a tenant administers that
    /// tenant only.
    /// </summary>
    /// <value>Null: <see cref="Name"/>, and an administrator sees every tenant.</value>
    public string? Tenant { get; set; }

    /// <summary>The key itself; alternatively set <see cref="KeyHash"/>.</summary>
    public string? Key { get; set; }

    /// <summary>SHA-256 of the key's UTF-8 in hexadecimal, so that the configuration holds no secret.</summary>
    public string? KeyHash { get; set; }

    /// <summary>
    /// Id that a caller names when it signs requests instead of presenting the key, as clients of Moab do; then <see cref="Key"/> may be
    /// absent.
    /// </summary>
    public string? SigningId { get; set; }

    /// <summary>Secret of a caller that signs with HMAC, in base64: at least 16 bytes.</summary>
    public string? SigningSecret { get; set; }

    /// <summary>Public key, in PEM, of a caller that signs with ECDSA on P-256.</summary>
    public string? SigningPublicKey { get; set; }

    /// <summary>
    /// Scopes of the key: enqueue, work, read, admin (which includes the others), each optionally restricted to queues, as in
    /// <c>admin:shop-*</c>.
    /// </summary>
    /// <value>None: enqueue and read.</value>
    public IList<string> Scopes { get; } = [];

    /// <summary>
    /// Patterns of the queues that the key covers: see <see cref="QueuePatterns"/>. Null is all queues; scope work must list them
    /// explicitly, if only as <c>*</c>.
    /// </summary>
    public IList<string>? Queues { get; set; }

    /// <summary>When the key expires; null is never.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>Rate limit for requests with the key; null applies <c>TaskQueue:Limits</c>.</summary>
    public RequestRate? Rate { get; set; }

    internal string? Problem =>
        !CallerNames.IsValid(Name) ? $"needs a Name of {CallerNames.Rule}"
        : Tenant is not null && !CallerNames.IsValid(Tenant) ? $"has a Tenant that is not {CallerNames.Rule}"
        : Key is not null && KeyHash is not null ? "has both Key and KeyHash; remove one of them"
        : Key is null && KeyHash is null && SigningId is null ? "needs either Key or KeyHash, or a SigningId"
        : SigningKeys.ProblemOf(SigningId, SigningSecret, SigningPublicKey) is { } signing ? signing
        : Key is not null && !KeyStrength.IsEnough(Key) ? $"has a Key that can be guessed: {KeyStrength.Rule}"
        : KeyHash is not null && !(KeyHash.Length == 64 && KeyHash.All(char.IsAsciiHexDigit))
            ? "has a KeyHash that is not 64 hexadecimal digits"
        : Scopes.FirstOrDefault(s => !Auth.Scopes.IsValid(s)) is { } scope ? $"has the scope '{scope}'; it must be {Auth.Scopes.Rule}"
        : Queues?.FirstOrDefault(q => !QueuePatterns.IsValid(q)) is { } pattern
            ? $"has '{pattern}' among its Queues; each must be {QueuePatterns.Rule}"
        : Auth.Scopes.IsWorkEverywhere(Scopes, Queues)
            ? "has the scope work and no Queues: list the queues that it works on, or [\"*\"] for those of every tenant"
        : Rate?.Problem is { } rate ? $"has a Rate {rate}"
        : null;
}

/// <summary>A token bucket for requests.</summary>
public sealed record RequestRate
{
    /// <summary>Sustained requests a second.</summary>
    public int PerSecond { get; set; }

    /// <summary>Maximum requests in a burst.</summary>
    /// <value>Null: same as <see cref="PerSecond"/>.</value>
    public int? Burst { get; set; }

    /// <summary>The validation error, or null.</summary>
    public string? Problem =>
        PerSecond is < 1 or > 1_000_000 ? "whose PerSecond is not 1 to 1000000"
        : Burst is < 1 or > 1_000_000 ? "whose Burst is not 1 to 1000000"
        : null;
}
