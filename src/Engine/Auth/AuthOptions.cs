using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Auth;

/// <summary>Section <c>TaskQueue:Auth</c>: who may use the doors.</summary>
public sealed class AuthOptions : IValidatableObject
{
    /// <summary>Keys that callers may present as bearer tokens. Several may live at once; a changed configuration counts at once.</summary>
    /// <value>None: nobody has to present a key, and the server listens on loopback only.</value>
    public IList<ApiKeyOptions> ApiKeys { get; } = [];

    /// <summary>32 bytes in base64: with it, the key that a task was submitted with is kept beside the task, encrypted, for its workers.</summary>
    /// <value>Null: only keys that are configured here in clear can be handed to workers, and nothing is stored but their names.</value>
    public string? SecretKey { get; set; }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        for (var i = 0; i < ApiKeys.Count; i++)
        {
            if (ApiKeys[i].Problem is { } problem)
                yield return new($"TaskQueue:Auth:ApiKeys:{i} {problem}");
        }

        if (ApiKeys.GroupBy(k => k.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1 && g.Count(k => k.Key is not null) > 1) is { } twice)
            yield return new($"TaskQueue:Auth:ApiKeys names {twice.Key} twice in clear; give one of them as KeyHash");
        if (SecretKey is not null && !(Convert.TryFromBase64String(SecretKey, new byte[SecretKey.Length], out var bytes) && bytes == 32))
            yield return new("TaskQueue:Auth:SecretKey must be 32 bytes in base64");
    }
}

/// <summary>One key.</summary>
public sealed class ApiKeyOptions
{
    /// <summary>Who has it: the owner of what is made with it. 1 to 128 characters.</summary>
    public string Name { get; set; } = "";

    /// <summary>The key itself; or see <see cref="KeyHash"/>.</summary>
    public string? Key { get; set; }

    /// <summary>SHA-256 of the key's UTF-8 in hexadecimal, so that the configuration holds no secret.</summary>
    public string? KeyHash { get; set; }

    /// <summary>Refused from then on; null is never.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    internal string? Problem =>
        Name.Length is < 1 or > 128 ? "needs a Name of 1 to 128 characters"
        : Key is null == KeyHash is null ? "needs either Key or KeyHash"
        : Key is { Length: 0 } ? "has an empty Key"
        : KeyHash is not null && !(KeyHash.Length == 64 && KeyHash.All(char.IsAsciiHexDigit)) ? "has a KeyHash that is not 64 hexadecimal digits"
        : null;
}
