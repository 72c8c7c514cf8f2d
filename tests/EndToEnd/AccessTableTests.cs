using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Route by scope by tenant by queue pattern: <see cref="AccessTable"/> against the running server.</summary>
public sealed class AccessTableTests(AccessServer server) : IClassFixture<AccessServer>
{
    private const string MoabGrpc = "/com.evrblk.moab.preview.MoabPreviewApi";

    public static TheoryData<string> Routes => [.. AccessTable.Rows.Keys];

    [Fact]
    public void Every_route_of_the_server_is_in_the_table()
    {
        var mapped = from endpoint in server.Host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                     where endpoint.Metadata.GetMetadata<NeededScope>() is { Scope: not Scope.None }
                     where endpoint.Metadata.GetMetadata<GrpcRoute>() is null // those of JSON by another way: see MoabGrpcAccessTests
                     from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods
                         ?? [endpoint.RoutePattern.RawText!.StartsWith(MoabGrpc, StringComparison.Ordinal) ? "POST" : "GET"]
                     select $"{method} /{endpoint.RoutePattern.RawText!.Replace(MoabGrpc, "/moab", StringComparison.Ordinal).Trim('/')}";

        mapped.Distinct().Order(StringComparer.Ordinal).ShouldBe(AccessTable.Rows.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task A_route_reaches_only_what_its_callers_may_see(string route)
    {
        var (seen, probe) = AccessTable.Rows[route];
        var reached = new List<string>();
        foreach (var caller in AccessServer.Callers)
        {
            if (await ReachesAsync(caller, await probe(server), route))
                reached.Add(caller);
        }

        reached.ShouldBe(seen.Split(' ', StringSplitOptions.RemoveEmptyEntries), ignoreOrder: true, route);
    }

    private async Task<bool> ReachesAsync(string caller, AccessProbe probe, string route)
    {
        using var request = new HttpRequestMessage(new HttpMethod(probe.Method), probe.Path);
        if (route is "POST /v1/batches")
            request.Headers.Add("X-BELLA-QUEUE-NAME", "a-1");
        if (probe.Method is not "GET")
            request.Content = probe.Body == AccessServer.File ? AccessServer.Form()
                : System.Net.Http.Json.JsonContent.Create(probe.Body ?? new { });
        using var response = await server[caller].SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return await IsReachedAsync(server, probe, (int)response.StatusCode, response.Content.ReadAsStringAsync, $"{caller} {route}");
    }

    /// <summary>Whether a response shows that a request reached its object.</summary>
    internal static async Task<bool> IsReachedAsync(
        AccessServer server, AccessProbe probe, int status, Func<Task<string>> read, string what)
    {
        status.ShouldBeLessThan(500, what);
        if (probe.Marker == AccessServer.AsksState)
            return await HasEndedAsync(server, probe);
        if (probe.Marker == AccessServer.IsThere)
            return status is not (401 or 403 or 404);
        if (probe.Marker is null)
            return status < 400;
        return status < 400 && (await read()).Contains(probe.Marker, StringComparison.Ordinal);
    }

    private static async Task<bool> HasEndedAsync(AccessServer server, AccessProbe probe)
    {
        if (probe.Path.StartsWith("/moab/", StringComparison.Ordinal))
        {
            var list = await server["operator"].PostAsync("/moab/ListTasks", new { queue_name = server.MoabQueue });
            return list.Json.GetProperty("tasks").GetArrayLength() == 0;
        }

        var task = await server["operator"].ReadAsync($"/tasks/{probe.Path.Split('/')[3]}");
        return TaskStates.Parse(task.Json.Text("status")!) is { } state && TaskStates.IsTerminal(state);
    }
}
