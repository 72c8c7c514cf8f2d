using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Auth;

/// <summary>Section <c>TaskQueue:Auth</c>: who may use the APIs.</summary>
public sealed class AuthOptions : IValidatableObject
{
    /// <summary>Keys that callers may present as bearer tokens. Several may live at once; a changed configuration counts at once.</summary>
    /// <value>None: nobody has to present a key, and the server listens on loopback only.</value>
    public IList<ApiKeyOptions> ApiKeys { get; } = [];

    /// <summary>A JSON file <c>{"ApiKeys": […]}</c> with further keys; a change of the file counts within seconds.</summary>
    public string? KeysFile { get; set; }

    /// <summary>What <see cref="KeysFile"/> holds; not to be set otherwise.</summary>
    public IList<ApiKeyOptions> FileKeys { get; } = [];

    /// <summary>Why <see cref="KeysFile"/> cannot be read, or null; not to be set otherwise.</summary>
    public string? FileProblem { get; set; }

    /// <summary>Tokens that callers may present instead of keys.</summary>
    public JwtOptions Jwt { get; set; } = new();

    /// <summary>
    /// 32 bytes in base64, the same in every process: signs the tokens that workers get of queues with <c>submitter_token</c>.
    /// </summary>
    public string? TokenKey { get; set; }

    /// <summary>Of older versions, which handed callers' keys to workers; refused.</summary>
    public string? SecretKey { get; set; }

    /// <summary>All keys.</summary>
    public IEnumerable<ApiKeyOptions> Keys => ApiKeys.Concat(FileKeys);

    /// <summary>Whether callers have to say who they are.</summary>
    public bool IsOn => ApiKeys.Count > 0 || KeysFile is not null || Jwt.IsOn;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var problem in Problems(ApiKeys, "TaskQueue:Auth:ApiKeys:")
            .Concat(Problems(FileKeys, $"TaskQueue:Auth:KeysFile {KeysFile}: ApiKeys:")))
            yield return problem;
        if (KeysFile is not null && (FileProblem is not null || FileKeys.Count == 0))
            yield return new($"TaskQueue:Auth:KeysFile {KeysFile} {FileProblem ?? "is missing or has no ApiKeys"}");
        if (Jwt.Problem is { } wrong)
            yield return new($"TaskQueue:Auth:Jwt:{wrong}");
        if (SecretKey is not null)
            yield return new("TaskQueue:Auth:SecretKey is gone, and with it the keys of submitters in 'ak', which is their name now; "
                + "remove it. For workers that act for the submitter set submitter_token on the queue, and TaskQueue:Auth:TokenKey");
        if (TokenKey is not null && !(Convert.TryFromBase64String(TokenKey, new byte[TokenKey.Length], out var bytes) && bytes == 32))
            yield return new("TaskQueue:Auth:TokenKey must be 32 bytes in base64, such as 'openssl rand -base64 32' makes");
    }

    private static IEnumerable<ValidationResult> Problems(IEnumerable<ApiKeyOptions> keys, string at) =>
        keys.Select((key, index) => key.Problem is { } problem ? new ValidationResult($"{at}{index} {problem}") : null)
            .OfType<ValidationResult>();
}

/// <summary>One key.</summary>
public sealed class ApiKeyOptions
{
    /// <summary>Who has it. 1 to 128 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>
    /// Owner of what is made with it; keys of one tenant see each other's. An administrator with a tenant administrates that tenant alone.
    /// </summary>
    /// <value>Null: <see cref="Name"/>, and an administrator sees every tenant.</value>
    public string? Tenant { get; set; }

    /// <summary>The key itself; or see <see cref="KeyHash"/>.</summary>
    public string? Key { get; set; }

    /// <summary>SHA-256 of the key's UTF-8 in hexadecimal, so that the configuration holds no secret.</summary>
    public string? KeyHash { get; set; }

    /// <summary>
    /// What it allows: enqueue, work, read, admin (which includes the rest), each with queues of its own where it says so, as in
    /// <c>admin:shop-*</c>.
    /// </summary>
    /// <value>None given: enqueue and read.</value>
    public IList<string> Scopes { get; } = [];

    /// <summary>
    /// Patterns of the queues that it covers: see <see cref="QueuePatterns"/>. Null is all queues; scope work must name them, if only as
    /// <c>*</c>.
    /// </summary>
    public IList<string>? Queues { get; set; }

    /// <summary>Refused from then on; null is never.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>How many requests it may make; null is as <c>TaskQueue:Limits</c> says.</summary>
    public RequestRate? Rate { get; set; }

    internal string? Problem =>
        !CallerNames.IsValid(Name) ? $"needs a Name of {CallerNames.Rule}"
        : Tenant is not null && !CallerNames.IsValid(Tenant) ? $"has a Tenant that is not {CallerNames.Rule}"
        : Key is null == KeyHash is null ? "needs either Key or KeyHash"
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

/// <summary>A token bucket of requests.</summary>
public sealed record RequestRate
{
    /// <summary>Requests a second in the long run.</summary>
    public int PerSecond { get; set; }

    /// <summary>Requests at once.</summary>
    /// <value>Null: as many as a second brings.</value>
    public int? Burst { get; set; }

    /// <summary>What is wrong with it, or null.</summary>
    public string? Problem =>
        PerSecond is < 1 or > 1_000_000 ? "whose PerSecond is not 1 to 1000000"
        : Burst is < 1 or > 1_000_000 ? "whose Burst is not 1 to 1000000"
        : null;
}
