using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Tokens that let a worker act for the submitter of one task: for the submitter's tenant, in the task's queue, with the scopes the
/// submitter had there, until the lease expires and at most for <see cref="Longest"/>. No caller's key is stored or handed out.
/// </summary>
internal sealed class SubmitterTokens(IOptionsMonitor<AuthOptions> options, TimeProvider time)
{
    /// <summary>Prefix of tokens.</summary>
    public const string Prefix = "tqt.";

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);

    /// <summary>Submitter scopes that may be lent.</summary>
    private static readonly Scope[] Lent = [Scope.Enqueue, Scope.Read];

    /// <summary>Whether tokens can be minted.</summary>
    public bool IsOn => options.CurrentValue.TokenKey is not null;

    /// <summary>The submitter's scopes to store with a task.</summary>
    public static string ScopesOf(Caller caller, string queue) =>
        string.Join(' ', Lent.Where(scope => caller.Access(scope).Allows(queue)).Select(Scopes.Word));

    /// <summary>Mints a token for the worker of a claimed task; null if the task has no submitter to act for.</summary>
    public string? Mint(TaskState task, string? submitter, string? scopes)
    {
        if (options.CurrentValue.TokenKey is not { } key || task.Owner is not { } tenant || submitter is null
            || string.IsNullOrEmpty(scopes))
            return null;
        var latest = time.GetUtcNow().UtcDateTime + Longest;
        var expires = new DateTimeOffset(task.LeaseUntil is { } lease && lease < latest ? lease : latest, TimeSpan.Zero);
        var claims = new Claims(submitter, tenant, task.Queue, task.CorrelationId, scopes, expires.ToUnixTimeSeconds());
        var text = Prefix + Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, ClaimsJson.Default.Claims));
        return $"{text}.{Base64Url.EncodeToString(Sign(text, key))}";
    }

    /// <summary>Finds the caller of a token; null if it is not a token, is not signed by this server, or has expired.</summary>
    public Caller? Find(string token)
    {
        var end = token.LastIndexOf('.');
        if (!token.StartsWith(Prefix, StringComparison.Ordinal) || end < Prefix.Length || options.CurrentValue.TokenKey is not { } key)
            return null;
        try
        {
            if (!CryptographicOperations.FixedTimeEquals(Sign(token[..end], key), Base64Url.DecodeFromChars(token.AsSpan(end + 1))))
                return null;
            var claims = JsonSerializer.Deserialize(Base64Url.DecodeFromChars(token.AsSpan(Prefix.Length, end - Prefix.Length)),
                ClaimsJson.Default.Claims)!;
            if (claims.Expires <= time.GetUtcNow().ToUnixTimeSeconds())
                return null;
            var scopes = Lent.Where(scope => claims.Scopes.Split(' ').Contains(Scopes.Word(scope)));
            return new Caller(claims.Name, claims.Tenant, [.. scopes.Select(scope => new Grant(scope, QueuePatterns.Only(claims.Queue)))],
                IsConfined: true) { IsLent = true };
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static byte[] Sign(string text, string key) =>
        HMACSHA256.HashData(Convert.FromBase64String(key), Encoding.ASCII.GetBytes(text));

    /// <summary>Claims of a token.</summary>
    internal sealed record Claims(string Name, string Tenant, string Queue, Guid TaskId, string Scopes, long Expires);
}

[JsonSerializable(typeof(SubmitterTokens.Claims))]
internal sealed partial class ClaimsJson : JsonSerializerContext;
