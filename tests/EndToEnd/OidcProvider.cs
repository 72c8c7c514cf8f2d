using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A small OpenID Connect provider: one user, who is signed in and agrees to everything.</summary>
internal sealed class OidcProvider : IAsyncDisposable
{
    public const string ClientId = "console", ClientSecret = "secret-of-the-console";

    private readonly RSA _key = RSA.Create(2048);
    private readonly TestReceiver _receiver;
    private readonly ConcurrentDictionary<string, (string Challenge, string Nonce, string RedirectUri)> _codes = new();

    private OidcProvider(TestReceiver receiver)
    {
        _receiver = receiver;
        receiver.Answer = (context, _) => AnswerAsync(context);
    }

    public string Url => _receiver.Url;

    /// <summary>Members of the next ID token besides those of the protocol.</summary>
    public string Claims { get; set; } = "\"sub\":\"jo\",\"scope\":\"read\"";

    /// <summary>Whether the user refuses.</summary>
    public bool Refuses { get; set; }

    /// <summary>Whether ID tokens carry the nonce of another sign-in.</summary>
    public bool MixesNonces { get; set; }

    public static async Task<OidcProvider> StartAsync() => new(await TestReceiver.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        _key.Dispose();
    }

    private Task AnswerAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/.well-known/openid-configuration" => WriteAsync(context, $$"""
            {"issuer":"{{Url}}","authorization_endpoint":"{{Url}}/authorize","token_endpoint":"{{Url}}/token","jwks_uri":"{{Url}}/jwks",
            "response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}
            """),
        "/jwks" => WriteAsync(context, $$"""{"keys":[{{Jwk()}}]}"""),
        "/authorize" => Authorize(context),
        "/token" => TokenAsync(context),
        _ => Refuse(context),
    };

    private Task Authorize(HttpContext context)
    {
        var query = context.Request.Query;
        var back = query["redirect_uri"].ToString();
        if (query["client_id"] != ClientId || query["response_type"] != "code" || query["code_challenge_method"] != "S256")
            return Refuse(context);
        var code = RandomNumberGenerator.GetHexString(20);
        _codes[code] = (query["code_challenge"]!, query["nonce"]!, back);
        context.Response.Redirect(Refuses ? $"{back}?error=access_denied&state={Uri.EscapeDataString(query["state"]!)}"
            : $"{back}?code={code}&state={Uri.EscapeDataString(query["state"]!)}");
        return Task.CompletedTask;
    }

    private async Task TokenAsync(HttpContext context)
    {
        var form = QueryHelpers.ParseQuery(_receiver.All.Last(r => r.Path == "/token").Body);
        var proof = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
        if (!_codes.TryRemove(form["code"].ToString(), out var asked) || asked.Challenge != proof
            || asked.RedirectUri != form["redirect_uri"] || form["client_id"] != ClientId || form["client_secret"] != ClientSecret)
        {
            context.Response.StatusCode = 400;
            await WriteAsync(context, """{"error":"invalid_grant"}""");
            return;
        }

        var now = SignedToken.Now;
        var token = SignedToken.Of("""{"alg":"RS256","kid":"one","typ":"JWT"}""",
            $$"""
            {"iss":"{{Url}}","aud":"{{ClientId}}","iat":{{now}},"exp":{{now + 300}},
            "nonce":"{{(MixesNonces ? "x" : asked.Nonce)}}",{{Claims}}}
            """,
            _key);
        await WriteAsync(context, $$"""{"access_token":"opaque","token_type":"Bearer","expires_in":300,"id_token":"{{token}}"}""");
    }

    private static Task Refuse(HttpContext context)
    {
        context.Response.StatusCode = 400;
        return Task.CompletedTask;
    }

    private static Task WriteAsync(HttpContext context, string json)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json);
    }

    private string Jwk()
    {
        var parameters = _key.ExportParameters(includePrivateParameters: false);
        return $$"""
            {"kty":"RSA","use":"sig","alg":"RS256","kid":"one","n":"{{Base64Url.EncodeToString(parameters.Modulus)}}",
            "e":"{{Base64Url.EncodeToString(parameters.Exponent)}}"}
            """;
    }
}
