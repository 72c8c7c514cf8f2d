using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>POST /console/session.</summary>
/// <param name="Key">An API key.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record SignInBody(string? Key);

/// <summary>GET /console/session: what a browser needs to know before it shows anything.</summary>
/// <param name="Authentication"><c>none</c>: the server has no keys, and everybody who reaches it may do everything; <c>key</c>.</param>
/// <param name="Methods">Ways to sign in: <c>key</c>, and <c>oidc</c> if a provider is configured.</param>
/// <param name="Caller">Who is signed in; null: nobody.</param>
/// <param name="ReadOnly">Whether sessions may only read.</param>
/// <param name="CanSeePayloads">Whether payloads, results, errors and progress are shown.</param>
/// <param name="CsrfHeader">Header that every change needs, with the value 1.</param>
/// <param name="ExpiresAt">When the session ends; null: there is none.</param>
/// <param name="Version">Version of the server.</param>
/// <param name="PathBase">Path in front of every path of the server.</param>
internal sealed record SessionDetails(
    string Authentication, IReadOnlyList<string> Methods, SessionCaller? Caller, bool ReadOnly, bool CanSeePayloads, string CsrfHeader,
    DateTime? ExpiresAt, string Version, string PathBase);

/// <summary>The caller of a session.</summary>
/// <param name="Name">Name of the key or of the identity; null without authentication.</param>
/// <param name="Tenant">Its tenant; null without authentication.</param>
/// <param name="Scopes">enqueue, work, read, admin: those that it has in any queue.</param>
/// <param name="Operator">Whether it administers all tenants.</param>
/// <param name="Method">How it signed in: key or oidc; null without authentication.</param>
internal sealed record SessionCaller(string? Name, string? Tenant, IReadOnlyList<string> Scopes, bool Operator, string? Method);

[JsonSerializable(typeof(SignInBody))]
[JsonSerializable(typeof(SessionDetails))]
internal sealed partial class SessionJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static SessionJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
