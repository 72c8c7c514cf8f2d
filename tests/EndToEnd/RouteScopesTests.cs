using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Every route, with every kind of credential.</summary>
public sealed partial class RouteScopesTests(AuthServer server) : IClassFixture<AuthServer>
{
    private static readonly Scope[] Each = [Scope.Enqueue, Scope.Work, Scope.Read];

    [Fact]
    public async Task Every_route_refuses_callers_without_valid_credentials_in_its_APIs_error_format()
    {
        string?[] wrong =
        [
            null, "Basic a2V5LWFkbWlu", "Bearer ", "Bearer wrong", "key-admin", "Bearer Bearer", "Bearer key-expired",
            $"Bearer {new string('k', 5000)}",
            Bearer(AuthServer.Claims("admin", lasts: -5)), Bearer(AuthServer.Claims("admin"), "another-secret-of-thirty-two-bytes!"),
            Bearer(AuthServer.Claims("admin"), secret: null, "none"),
            Bearer(AuthServer.Claims("admin"), alg: "HS512"),
            Bearer(AuthServer.Claims("admin").Replace("\"tasks\"", "\"others\"", StringComparison.Ordinal)),
            Bearer("\"sub\":\"jo\",\"aud\":\"tasks\",\"scope\":\"admin\""),
            Bearer(AuthServer.Claims("admin").Replace("\"sub\"", "\"who\"", StringComparison.Ordinal)),
            $"{Bearer(AuthServer.Claims("admin"))[..^8]}garbled!", "Bearer a.b.c",
        ];
        foreach (var (method, path, _) in Routes())
        {
            foreach (var authorization in wrong)
            {
                using var answer = await server.SendAsync(method, path, authorization);
                await ShouldBeAsync(answer, 401, path, $"{method} {path} with {authorization}");
                answer.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
            }
        }
    }

    [Fact]
    public async Task Every_route_refuses_keys_and_tokens_of_other_scopes_and_lets_the_right_one_through()
    {
        foreach (var (method, path, needed) in Routes())
        {
            foreach (var scope in Each.Append(Scope.Admin))
            {
                foreach (var authorization in new[] { $"Bearer key-{Scopes.Word(scope)}", Bearer(AuthServer.Claims(Scopes.Word(scope))) })
                {
                    using var answer = await server.SendAsync(method, path, authorization);
                    if (scope == Scope.Admin || scope.HasFlag(needed))
                        ((int)answer.StatusCode).ShouldNotBeOneOf(401, 403, 500);
                    else
                        (await ShouldBeAsync(answer, 403, path, $"{method} {path} with {scope}"))
                            .ShouldContain($"scope {Scopes.Word(needed)}");
                }
            }
        }
    }

    [Fact]
    public async Task The_OpenAPI_document_and_the_security_page_have_the_scope_of_every_route()
    {
        var paths = (await server.Http.ReadAsync("/openapi/v1.json")).Json.GetProperty("paths");
        var documented = from path in paths.EnumerateObject()
                         from operation in path.Value.EnumerateObject()
                         select $"{operation.Value.GetProperty("x-scope").GetString()} {operation.Name.ToUpperInvariant()} {path.Name}";
        var routes = documented.Order(StringComparer.Ordinal).ToList();

        routes.ShouldContain("enqueue POST /tasks");
        routes.ShouldContain("admin POST /moab/CreateQueue");
        var page = await File.ReadAllLinesAsync(Repository.FileAt("docs", "security.md"));
        var table = page.Select(line => TableRow().Match(line)).Where(m => m.Success)
            .SelectMany(row =>
                RouteInRow().Matches(row.Groups["routes"].Value)
                    .Select(route => $"{row.Groups["scope"].Value} {route.Groups["route"].Value}"));
        table.Order(StringComparer.Ordinal).ShouldBe(routes);
    }

    [Fact]
    public async Task Open_routes_want_no_key()
    {
        foreach (var path in new[] { "/health/live", "/health/ready", "/openapi/v1.json" })
            (await server.Http.ReadAsync(path)).Status.ShouldBe(200);
    }

    /// <summary>The mapped routes, with values for their parameters.</summary>
    private List<(string Method, string Path, Scope Scope)> Routes()
    {
        var routes = from endpoint in server.Host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                     where endpoint.Metadata.GetMetadata<OpenRoute>() is null && endpoint.Metadata.GetMetadata<GrpcRoute>() is null
                     from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["POST", "GET"]
                     where method != "HEAD" // its answer has no body to look at; GET of the same path is tried
                     select (Method: method, Path: $"/{Parameter().Replace(endpoint.RoutePattern.RawText!, "x").Trim('/')}",
                         Scope: endpoint.Metadata.GetRequiredMetadata<NeededScope>().Scope);
        var all = routes.ToList();
        all.Count.ShouldBeGreaterThan(60);
        return all;
    }

    private static string Bearer(string payload, string? secret = AuthServer.Secret, string alg = "HS256") =>
        $"Bearer {AuthServer.Token(payload, secret, alg)}";

    /// <summary>Checks the status and the format, and returns the message.</summary>
    private static async Task<string> ShouldBeAsync(HttpResponseMessage answer, int status, string path, string what)
    {
        var text = await answer.Content.ReadAsStringAsync();
        ((int)answer.StatusCode).ShouldBe(status, $"{what}: {text}");
        var body = JsonSerializer.Deserialize<JsonElement>(text);
        if (path == "/tasks")
            return Only(body, "error").GetString()!;
        if (path.StartsWith("/agent/", StringComparison.Ordinal))
            return Only(body, "detail").GetString()!;
        if (path.StartsWith("/v1/files", StringComparison.Ordinal))
            return Only(body, "error").Text("message")!;
        if (path.StartsWith("/v1/", StringComparison.Ordinal))
        {
            body.Whole("code").ShouldBe(status);
            return body.Text("message")!;
        }

        if (path.StartsWith("/moab/", StringComparison.Ordinal) || path.StartsWith("/com.", StringComparison.Ordinal))
        {
            body.Text("code").ShouldBe(status == 401 ? "UNAUTHENTICATED" : "PERMISSION_DENIED");
            return body.Text("message")!;
        }

        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json", what);
        body.Text("code").ShouldBe(status == 401 ? "unauthorized" : "forbidden");
        return body.Text("detail")!;
    }

    private static JsonElement Only(JsonElement body, string name)
    {
        body.Names().ShouldBe([name]);
        return body.GetProperty(name);
    }

    [GeneratedRegex(@"\{[^}]*\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"^\| (?<scope>enqueue|work|read|admin) \| (?<routes>.*) \|$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TableRow();

    [GeneratedRegex("`(?<route>[A-Z]+ /[^`]*)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RouteInRow();
}
