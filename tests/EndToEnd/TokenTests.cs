using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>RFC 8725: which tokens a server with a secret accepts, each with a valid signature unless its name says otherwise.</summary>
public sealed class TokenTests(AuthServer server) : IClassFixture<AuthServer>
{
    private static readonly Dictionary<string, Func<string>> Good = new()
    {
        ["plain"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload()),
        ["no typ"] = () => SignedToken.Of("""{"alg":"HS256"}""", SignedToken.Payload()),
        ["typ of access tokens"] = () => SignedToken.Of("""{"alg":"HS256","typ":"application/AT+JWT"}""", SignedToken.Payload()),
        ["one of several audiences"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(aud: """["x","tasks"]""")),
        ["times with fractions"] = () =>
            SignedToken.Of(SignedToken.Header, SignedToken.Payload($"\"iat\":{SignedToken.Now}.25", exp: $"{SignedToken.Now + 600}.5")),
        ["nbf within the skew"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload($"\"nbf\":{SignedToken.Now + 30}")),
        ["any issuer"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"iss\":\"me\"")),
        ["kid is a path"] = () => SignedToken.Of("""{"alg":"HS256","kid":"../../../../dev/null"}""", SignedToken.Payload()),
        ["kid is SQL"] = () => SignedToken.Of("""{"alg":"HS256","kid":"x' union select 'key' --"}""", SignedToken.Payload()),
        ["jku, jwk, x5u and x5c are ignored"] = () => SignedToken.Of(
            """{"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/","jwk":{"kty":"oct","k":"AAAA"},"x5c":["AAAA"]}""",
            SignedToken.Payload()),
        ["another spelling of a claim"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"SUB\":7,\"Exp\":1,\"AUD\":[]")),
        ["a name of several scripts"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"Zoë 東京 🦉\"")),
        ["nested values"] = () =>
            SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"realm_access\":{\"roles\":[\"a\",{\"b\":[1]}]}")),
    };

    private static readonly Dictionary<string, Func<string>> Bad = new()
    {
        ["alg none"] = () => $"{SignedToken.Unsigned("""{"alg":"none"}""", Encoding.UTF8.GetBytes(SignedToken.Payload()))}.",
        ["alg none with a signature"] = () => SignedToken.Of("""{"alg":"none"}""", SignedToken.Payload()),
        ["alg NONE with a signature"] = () => SignedToken.Of("""{"alg":"nOnE"}""", SignedToken.Payload()),
        ["no alg"] = () => SignedToken.Of("""{"typ":"JWT"}""", SignedToken.Payload()),
        ["alg is a number"] = () => SignedToken.Of("""{"alg":256}""", SignedToken.Payload()),
        ["alg HS384 over HS256"] = () => SignedToken.Of("""{"alg":"HS384"}""", SignedToken.Payload()),
        ["alg RS256 over HS256"] = () => SignedToken.Of("""{"alg":"RS256"}""", SignedToken.Payload()),
        ["HS512"] = () => AuthServer.Token(AuthServer.Claims("read"), alg: "HS512"),
        ["two algs"] = () => SignedToken.Of("""{"alg":"none","alg":"HS256"}""", SignedToken.Payload()),
        ["two algs, one escaped"] = () => SignedToken.Of("""{"alg":"HS256","\u0061lg":"none"}""", SignedToken.Payload()),
        ["empty signature"] = () => $"{SignedToken.Unsigned(SignedToken.Header, Encoding.UTF8.GetBytes(SignedToken.Payload()))}.",
        ["no signature"] = () => SignedToken.Unsigned(SignedToken.Header, Encoding.UTF8.GetBytes(SignedToken.Payload())),
        ["signature of another secret"] = () =>
            SignedToken.Of(SignedToken.Header, SignedToken.Payload(), "another-secret-of-more-than-32-bytes"),
        ["signature cut short"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload())[..^8],
        ["padding"] = () => $"{SignedToken.Of(SignedToken.Header, SignedToken.Payload())}=",
        ["a part more"] = () => $"{SignedToken.Of(SignedToken.Header, SignedToken.Payload())}.AAAA",
        ["encrypted"] = () =>
            SignedToken.Unsigned("""{"alg":"dir","enc":"A256GCM"}""", []) + ".AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
        ["enc in a signed one"] = () => SignedToken.Of("""{"alg":"HS256","enc":"A256GCM"}""", SignedToken.Payload()),
        ["zip"] = () => SignedToken.Of("""{"alg":"HS256","zip":"DEF"}""", Deflate(SignedToken.Payload())),
        ["zip of what is not compressed"] = () => SignedToken.Of("""{"alg":"HS256","zip":"DEF"}""", SignedToken.Payload()),
        ["crit"] = () => SignedToken.Of("""{"alg":"HS256","crit":["exp"],"exp":1}""", SignedToken.Payload()),
        ["crit is empty"] = () => SignedToken.Of("""{"alg":"HS256","crit":[]}""", SignedToken.Payload()),
        ["b64 false"] = () => SignedToken.Of("""{"alg":"HS256","b64":false}""", SignedToken.Payload()),
        ["nested"] = () => SignedToken.Of("""{"alg":"HS256","cty":"JWT"}""", SignedToken.Of(SignedToken.Header, SignedToken.Payload())),
        ["payload is a token"] = () =>
            SignedToken.Of(SignedToken.Header, $"\"{SignedToken.Of(SignedToken.Header, SignedToken.Payload())}\""),
        ["typ logout+jwt"] = () => SignedToken.Of("""{"alg":"HS256","typ":"logout+jwt"}""", SignedToken.Payload()),
        ["typ secevent+jwt"] = () => SignedToken.Of("""{"alg":"HS256","typ":"application/secevent+jwt"}""", SignedToken.Payload()),
        ["typ is empty"] = () => SignedToken.Of("""{"alg":"HS256","typ":""}""", SignedToken.Payload()),
        ["typ is a list"] = () => SignedToken.Of("""{"alg":"HS256","typ":["JWT"]}""", SignedToken.Payload()),
        ["kid has a control character"] = () => SignedToken.Of("""{"alg":"HS256","kid":"a\u0000b"}""", SignedToken.Payload()),
        ["kid is an object"] = () => SignedToken.Of("""{"alg":"HS256","kid":{"$ne":null}}""", SignedToken.Payload()),
        ["kid is long"] = () => SignedToken.Of($$"""{"alg":"HS256","kid":"{{new string('k', 300)}}"}""", SignedToken.Payload()),
        ["header is a list"] = () => SignedToken.Of("""["alg","HS256"]""", SignedToken.Payload()),
        ["header is deep"] = () => SignedToken.Of(
            $$"""{"alg":"HS256","x":{{new string('[', 40)}}{{new string(']', 40)}}}""", SignedToken.Payload()),
        ["payload is no JSON"] = () => SignedToken.Of(SignedToken.Header, "sub=jo"),
        ["payload is no UTF-8"] = () =>
            SignedToken.Of(SignedToken.Header,
                [.. Encoding.UTF8.GetBytes(SignedToken.Payload("\"x\":\"")[..^1]), 0xC3, 0x28, (byte)'"', (byte)'}']),
        ["a comment in the payload"] = () => SignedToken.Of(SignedToken.Header, $"/* */{SignedToken.Payload()}"),
        ["expired"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(exp: $"{SignedToken.Now - 1}")),
        ["no exp"] = () => SignedToken.Of(SignedToken.Header, """{"sub":"jo","aud":"tasks","scope":"read"}"""),
        ["exp is a text"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(exp: $"\"{SignedToken.Now + 600}\"")),
        ["exp is null"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(exp: "null")),
        ["exp is negative"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(exp: "-1")),
        ["exp is beyond every calendar"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(exp: "1e300")),
        ["two exps"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"exp\":1")),
        ["two exps, one escaped"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"e\\u0078p\":1")),
        ["nbf in the future"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload($"\"nbf\":{SignedToken.Now + 120}")),
        ["nbf is a text"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"nbf\":\"0\"")),
        ["iat in the future"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload($"\"iat\":{SignedToken.Now + 120}")),
        ["iat is an object"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"iat\":{}")),
        ["another audience"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(aud: "\"mail\"")),
        ["an audience that begins alike"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(aud: "\"tasks/\"")),
        ["audience in capitals"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(aud: "\"TASKS\"")),
        ["audiences of several types"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(aud: "[\"tasks\",1]")),
        ["no audience"] = () => SignedToken.Of(SignedToken.Header, $$"""{"sub":"jo","scope":"read","exp":{{SignedToken.Now + 600}}}"""),
        ["no one in the audience"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(aud: "[]")),
        ["issuer is a list"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"iss\":[\"me\"]")),
        ["no sub"] = () => SignedToken.Of(SignedToken.Header, $$"""{"aud":"tasks","scope":"read","exp":{{SignedToken.Now + 600}}}"""),
        ["sub in capitals"] = () => SignedToken.Of(SignedToken.Header,
            $$"""{"SUB":"jo","aud":"tasks","scope":"read","exp":{{SignedToken.Now + 600}}}"""),
        ["two subs"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload("\"sub\":\"ann\"")),
        ["sub is a number"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "7")),
        ["sub is a list"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "[\"jo\"]")),
        ["sub is empty"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"\"")),
        ["sub is long"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: $"\"{new string('j', 129)}\"")),
        ["sub has a line end"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"jo\\r\\nX: y\"")),
        ["sub has NUL"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"jo\\u0000\"")),
        ["sub has an escape"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"jo\\u001b[2J\"")),
        ["sub has a zero-width space"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"j\\u200bo\"")),
        ["sub is written backwards"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"\\u202eoj\"")),
        ["sub has half a pair"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"jo\\ud83e\"")),
        ["sub has a private character"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"jo\\ue000\"")),
        ["sub ends with a space"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload(sub: "\"jo \"")),
        ["huge"] = () => SignedToken.Of(SignedToken.Header, SignedToken.Payload($"\"x\":\"{new string('x', 16 * 1024)}\"")),
    };

    public static TheoryData<string> GoodNames => [.. Good.Keys];

    public static TheoryData<string> BadNames => [.. Bad.Keys];

    [Theory]
    [MemberData(nameof(GoodNames))]
    public async Task A_valid_token_is_accepted(string name) => (await StatusAsync(server.Http, Good[name]())).ShouldBe(200);

    [Theory]
    [MemberData(nameof(BadNames))]
    public async Task An_invalid_token_is_refused(string name)
    {
        using var answer = await AuthServer.SendAsync(server.Http, "GET", "/queues", $"Bearer {Bad[name]()}");
        ((int)answer.StatusCode).ShouldBe(401);
        answer.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
    }

    [Fact]
    public async Task Issuer_types_and_lifetime_are_checked_if_set()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?>(AuthServer.Settings())
        {
            ["TaskQueue:Auth:Jwt:Issuer"] = "https://id.example.com",
            ["TaskQueue:Auth:Jwt:Types:0"] = "at+jwt",
            ["TaskQueue:Auth:Jwt:MaxLifetime"] = "01:00:00",
        });
        const string Typed = """{"alg":"HS256","typ":"at+jwt"}""";
        var now = SignedToken.Now;
        var issued = $"\"iss\":\"https://id.example.com\",\"iat\":{now}";

        (await StatusAsync(host.Http, SignedToken.Of(Typed, SignedToken.Payload(issued)))).ShouldBe(200);
        (await StatusAsync(host.Http, SignedToken.Of(SignedToken.Header, SignedToken.Payload(issued)))).ShouldBe(401, "typ is JWT");
        (await StatusAsync(host.Http, SignedToken.Of("""{"alg":"HS256"}""", SignedToken.Payload(issued)))).ShouldBe(401, "no typ");
        (await StatusAsync(host.Http, SignedToken.Of(Typed, SignedToken.Payload($"\"iat\":{now}")))).ShouldBe(401, "no issuer");
        (await StatusAsync(host.Http, SignedToken.Of(Typed, SignedToken.Payload($"\"iss\":\"https://id.example.com/\",\"iat\":{now}"))))
            .ShouldBe(401, "another issuer");
        (await StatusAsync(host.Http, SignedToken.Of(Typed, SignedToken.Payload("\"iss\":\"https://id.example.com\""))))
            .ShouldBe(401, "no iat");
        (await StatusAsync(host.Http, SignedToken.Of(Typed, SignedToken.Payload(issued, exp: $"{now + 3601}"))))
            .ShouldBe(401, "lives too long");
    }

    [Fact]
    public async Task A_token_for_an_audience_is_refused_by_a_server_without_one()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?> { ["TaskQueue:Auth:Jwt:Secret"] = AuthServer.Secret });

        (await StatusAsync(host.Http, SignedToken.Of(SignedToken.Header,
            $$"""{"sub":"jo","scope":"read","exp":{{SignedToken.Now + 600}}}"""))).ShouldBe(200);
        (await StatusAsync(host.Http, SignedToken.Of(SignedToken.Header, SignedToken.Payload()))).ShouldBe(401);
    }

    [Fact]
    public async Task Only_keys_that_the_authority_publishes_and_that_are_long_enough_count()
    {
        using var key = RSA.Create(2048);
        using var weak = RSA.Create(1024);
        using var own = RSA.Create(2048);
        await using var attacker = await TestReceiver.StartAsync();
        attacker.Answer = (context, _) => context.Response.WriteAsync($$"""{"keys":[{{Jwk(own, "own")}}]}""");
        await using var authority = await TestReceiver.StartAsync();
        var shared = System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(AuthServer.Secret));
        authority.Answer = (context, _) => context.Response.WriteAsync(context.Request.Path == "/jwks"
            ? $$"""{"keys":[{{Jwk(key, "strong")}},{{Jwk(weak, "weak")}},{"kty":"oct","kid":"shared","k":"{{shared}}"}]}"""
            : $$"""{"issuer":"{{authority.Url}}","jwks_uri":"{{authority.Url}}/jwks"}""");
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Auth:Jwt:Authority"] = authority.Url, ["TaskQueue:Auth:Jwt:Audience"] = "tasks",
            ["Logging:LogLevel:Default"] = "None",
        });
        var payload = SignedToken.Payload($"\"iss\":\"{authority.Url}\"");

        (await StatusAsync(host.Http, SignedToken.Of("""{"alg":"RS256","kid":"strong"}""", payload, key))).ShouldBe(200);
        (await StatusAsync(host.Http, SignedToken.Of("""{"alg":"RS256","kid":"weak"}""", payload, weak))).ShouldBe(401);
        (await StatusAsync(host.Http, SignedToken.Of(
            $$"""{"alg":"RS256","kid":"own","jku":"{{attacker.Url}}/jwks","jwk":{{Jwk(own, "own")}}}""", payload, own))).ShouldBe(401);
        (await StatusAsync(host.Http, SignedToken.Of(
            """{"alg":"HS256","kid":"shared"}""", payload))).ShouldBe(401, "published, but no secret");
        foreach (var secret in new[] { key.ExportSubjectPublicKeyInfoPem(), key.ExportRSAPublicKeyPem(),
            Convert.ToBase64String(key.ExportRSAPublicKey()) })
            (await StatusAsync(host.Http, SignedToken.Of(
                """{"alg":"HS256","kid":"strong"}""", payload, secret))).ShouldBe(401, "the public key as a secret");
        attacker.All.ShouldBeEmpty();
    }

    private static string Jwk(RSA key, string id)
    {
        var parts = key.ExportParameters(includePrivateParameters: false);
        var modulus = System.Buffers.Text.Base64Url.EncodeToString(parts.Modulus!);
        var exponent = System.Buffers.Text.Base64Url.EncodeToString(parts.Exponent!);
        return string.Create(CultureInfo.InvariantCulture,
            $$"""{"kty":"RSA","use":"sig","kid":"{{id}}","n":"{{modulus}}","e":"{{exponent}}"}""");
    }

    private static byte[] Deflate(string text)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal))
            deflate.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }

    private static async Task<int> StatusAsync(HttpClient http, string token)
    {
        using var answer = await AuthServer.SendAsync(http, "GET", "/queues", $"Bearer {token}");
        return (int)answer.StatusCode;
    }
}
